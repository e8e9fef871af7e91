"""The comparison with plain Tune in pieces: what one that broke off leaves, and what careful readers ask."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plain_tune() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain_tune", ROOT / "benchmarks" / "plain_tune.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_are_laid_out_at_best_as_worked_by_hand(plain_tune: ModuleType) -> None:
    assert plain_tune.at_best([5, 3, 4, 2], 1) == 14
    assert plain_tune.at_best([5, 3, 4, 2], 2) == 7, "5 and 2 beside 3 and 4"
    assert plain_tune.at_best([5, 3, 4, 2], 9) == 5


def test_a_clock_counts_pieces_that_broke_off_and_not_what_lies_between(
    plain_tune: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "piece-0.json").write_text("7.5")
    with pytest.raises(KeyboardInterrupt), plain_tune.Clock(tmp_path) as clock:
        assert clock.pieces == 2
        raise KeyboardInterrupt
    time.sleep(0.05)
    with plain_tune.Clock(tmp_path) as clock:
        total = clock.total()
    kept = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("piece-*.json"))]
    assert len(kept) == clock.pieces == 3
    assert total == pytest.approx(sum(kept[:2]), abs=0.04)


def test_a_side_that_broke_off_keeps_what_it_had(
    plain_tune: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(plan: Any, folder: Path) -> Any:
        (folder / "row_000.ended").touch()
        raise KeyboardInterrupt

    plan = SimpleNamespace(tasks={"k": None}, cells=[{}])
    monkeypatch.setitem(plain_tune.SIDES, "plain Tune", breaks)
    with pytest.raises(KeyboardInterrupt):
        plain_tune.side("plain Tune", plan, tmp_path)
    with pytest.raises(SystemExit, match="another comparison"):
        plain_tune.side("plain Tune", SimpleNamespace(tasks={"other": None}, cells=[{}]), tmp_path)
    found = plain_tune.Side(1, 2.0, 3.0)
    monkeypatch.setitem(plain_tune.SIDES, "plain Tune", lambda plan, folder: found)
    assert plain_tune.side("plain Tune", plan, tmp_path) == found
    assert (tmp_path / "plain_Tune" / "row_000.ended").is_file()


def test_doubts_count_equal_rows_and_what_is_prepared_once(plain_tune: ModuleType) -> None:
    def stage(name: str, key: str, seconds: float, score: float | None = None) -> dict[str, Any]:
        scores = None if score is None else {"fgd": score}
        return {"stage": name, "key": key, "trains": name != "corpus", "seconds": seconds, "scores": scores}

    def row(key: str, score: float) -> list[dict[str, Any]]:
        shared = [stage("corpus", "c", 10.0), stage("judge", "j", 20.0)]
        return [*shared, stage("generator", f"g{key}", 30.0), stage("motion_scores", key, 1.0, score)]

    rows = [row("a", 1.5), row("b", 2.5), row("a", 1.5)]
    lines = plain_tune.doubts(rows, plain_tune.Side(4, 92.0, 1.0), {"a": {"fgd": 1.5}, "b": {"fgd": 2.25}})
    assert lines[0] == "scores equal to the last bit: 2 of 3"
    assert "equal rows run once (2 of 3): 1.50 times rgx's trainings, 1.33 times its seconds" in lines[1]
    assert "made once by hand: 1.25 times rgx's trainings, 1.00 times its seconds" in lines[2]
