"""By which split a search chooses: dev, unless its file says `on_test: true`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rgx.config import Cell, Text
from rgx.errors import InputError
from rgx.stage import Split, splits_of
from rgx.statements import statements
from rgx.sweep.search.spec import SPLIT, Search


def check_split(search: Search, cells: Iterable[Cell], texts: Sequence[Text]) -> Split | None:
    """Return the split that a search chooses by, or None where no stage says it.

    texts: the gin of one of the cells. Raises InputError for test where the file does not say
    `on_test: true`, and for that line where it changes nothing.
    """
    splits = {split for cell in cells for split in splits_of(cell.stages, search.stage)}
    if search.on_test and splits and "test" not in splits:
        raise InputError(
            f"{search.on_test}: {search.name}: on_test: true changes nothing, for {search.stage} scores "
            f"{' and '.join(sorted(splits))}: leave it out"
        )
    if "test" in splits and not search.on_test:
        raise InputError(
            f"{search.place}: {search.name}: {search.stage}/{search.metric} is a score of test, and a "
            f"search chooses by dev: {_remedy(search, texts)}, or write `on_test: true`: its table says so"
        )
    return splits.pop() if len(splits) == 1 else None


def _remedy(search: Search, texts: Sequence[Text]) -> str:
    """Return which line to leave out, or what the stage lacks."""
    stages = [b for b in statements(texts) if b.argument == SPLIT and b.selector.startswith("stage.")]
    lines = [binding.line for binding in stages if binding.value != "dev"]
    if lines:
        return f"leave out {lines[-1]}"
    return (
        f"give stage/{search.stage} an argument `{SPLIT}`, 'test' by default, which a search binds to 'dev'"
    )
