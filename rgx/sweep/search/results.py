"""The trials of a search, as its record holds them; imports nothing heavy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, FiniteFloat

State = Literal["open", "finished", "stopped", "failed"]


class Score(BaseModel):
    """A metric's mean over the seeds, and what it costs: lower is better."""

    value: FiniteFloat
    cost: FiniteFloat


class Climbed(BaseModel):
    """A rung a trial began: its row, the key of each stage at each seed, and its score once finished."""

    row: str
    cells: list[tuple[int, dict[str, str]]]
    score: Score | None = None


class Trial(BaseModel):
    """One trial; `open` until it climbed every rung, was stopped on one, or failed for a reason."""

    point: tuple[float, ...]
    values: dict[str, Any]
    state: State = "open"
    reason: str = ""
    rungs: list[Climbed] = []

    @property
    def last(self) -> Climbed | None:
        """The last rung with a score."""
        scored = [rung for rung in self.rungs if rung.score is not None]
        return scored[-1] if scored else None

    @property
    def cost(self) -> float | None:
        """What its last score costs; None for a trial that failed or has no score."""
        last = self.last
        return None if self.state == "failed" or last is None or last.score is None else last.score.cost


class Record(BaseModel):
    """The trials of a search, in the order of their numbers."""

    trials: list[Trial] = []
