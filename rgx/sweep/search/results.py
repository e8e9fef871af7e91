"""The trials of a search, as its record holds them: a part of the store's one schema."""

from rgx.store.records import Climbed, Record, Score, State, Trial

__all__ = ["Climbed", "Record", "Score", "State", "Trial"]
