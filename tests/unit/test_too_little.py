"""What there is too little of is told before anything runs, kept in the manifest and said under the table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from little import LITTLE, command, manifests
from roster import load_roster

from rgx.gesture.align.contrastive import ContrastiveAlignment, contrastive_loss
from rgx.gesture.data.windows import window_starts
from rgx.gesture.metrics.fgd import FGD, gaussian
from rgx.gesture.metrics.fvd_random import VideoFVDRandom
from rgx.gesture.stages.alignment import AlignmentStage, retrieval
from rgx.gesture.types import WINDOW_FRAMES, ClipSpan, CorpusFacts
from rgx.report.gather import gather
from rgx.report.layout import footnotes
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import read_sweep
from rgx.train.optimiser import AdamW


def facts(train: tuple[int, ...], test: tuple[int, ...] = (200, 200)) -> CorpusFacts:
    frames = {"train": train, "test": test}
    return CorpusFacts(("a",), {split: len(own) for split, own in frames.items()}, "", frames=frames)


def remarks(corpus: CorpusFacts, batch: int = 8, apart: int = 160) -> list[str]:
    stage = AlignmentStage(ContrastiveAlignment, AdamW(batch=batch), apart)  # type: ignore[arg-type]
    return stage.remarks({"corpus": corpus})


@pytest.mark.slow
def test_it_is_printed_before_anything_runs_kept_and_noted(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The little sweep has 28 test windows for the 32 features of its judge."""
    (tmp_path / "little.yaml").write_text(LITTLE)
    said = "motion_scores: FGD: 28 windows are fewer than the 32 features they are compared in"
    assert command("plan", str(tmp_path / "little.yaml"), "--store", str(finished)) == 0
    assert capsys.readouterr().out.count(f"too little data: {said}") == 1
    kept = {name: held.get("remarks", []) for name, held in manifests(finished).items()}
    assert {name.partition("/")[0] for name, own in kept.items() if own} == {"motion_scores"}
    (tmp_path / "r.yaml").write_text(
        f"sweep: {tmp_path}/little.yaml\npanels: {{3b: {{caption: C., columns: [fgd]}}}}\n"
    )
    (table,) = gather(tmp_path / "r.yaml", finished).panels
    assert [note for note in footnotes(table) if f"Too little data for {said}" in note]


def test_a_plan_of_one_training_clip_says_what_that_means(tmp_path: Path) -> None:
    load_roster()
    text = LITTLE.replace("speakers: 2", "speakers: 1").replace("train_clips: 2", "train_clips: 1")
    (tmp_path / "one.yaml").write_text(text.replace("test_clips: 2", "test_clips: 1").replace("6.0", "4.0"))
    remarks = make_plan(read_sweep(tmp_path / "one.yaml")).remarks
    assert any(remark.startswith("alignment: no negatives") for remark in remarks)
    assert "generator: a batch of 4 is larger than the data: some of 2 samples come twice in it" in remarks
    assert any(remark.startswith("motion_scores: FGD: 2 windows are fewer than the 32") for remark in remarks)


@given(st.lists(st.integers(1, 700), max_size=6), st.integers(1, 4))
def test_windows_are_counted_as_they_are_cut(lengths: list[int], most: int) -> None:
    spans = [ClipSpan(f"{n}", 0, "train", 1000 * n, frames, (0, 0), 1) for n, frames in enumerate(lengths)]
    starts, clips, _ = window_starts(spans, "train")
    corpus = facts(tuple(lengths))
    assert corpus.windows("train") == len(starts)
    assert corpus.windows("train", most=1) == len(clips.unique())
    offsets = [int(start) - 1000 * int(clip) - 1 for start, clip in zip(starts, clips, strict=True)]
    kept = [clip for clip, at in zip(clips.tolist(), offsets, strict=True) if at % WINDOW_FRAMES == 0]
    assert corpus.windows("train", WINDOW_FRAMES, most) == sum(min(kept.count(c), most) for c in set(kept))


def test_without_negatives_the_loss_is_nothing_and_that_is_said() -> None:
    alone = torch.randn(1, 4)
    assert contrastive_loss(alone, alone, 0.1) == 0, "what the remark says"
    (said,) = remarks(facts((200,)))
    assert "no negatives" in said and "0 at every step" in said
    assert "no negatives" in remarks(facts((320, 80)), apart=0)[0], "a clip without a window is none"


def test_few_clips_are_said_and_enough_are_not() -> None:
    assert remarks(facts((400,) * 8)) == []
    (said,) = remarks(facts((320, 200)))
    assert "2 training clips for a batch of 8: 3 windows at most" in said
    assert remarks(CorpusFacts(("a",), {"train": 1, "test": 1}, "")) == [], "lengths that nobody knows"


def test_retrieval_from_one_is_not_measured() -> None:
    assert remarks(facts((400,) * 8, test=(500,))) == ["one test clip: how well it retrieves is not measured"]
    windows = SimpleNamespace(clips=torch.zeros(5))
    assert retrieval(None, windows) == {"pool": 1}  # type: ignore[arg-type]


def test_a_batch_larger_than_the_data() -> None:
    assert AdamW(batch=9).remarks(9) == AdamW(batch=9).remarks(None) == []
    assert "a batch of 9 is larger than the data: some of 8 samples" in AdamW(batch=9).remarks(8)[0]


@pytest.mark.parametrize("windows", [2, 3, 31, 32, 33])
def test_a_frechet_distance_over_fewer_windows_than_features(windows: int) -> None:
    features = torch.randn(windows, 32, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    rank = torch.linalg.matrix_rank(torch.from_numpy(gaussian(features.numpy())[1]))
    for said in (FGD().remarks(windows, 32), VideoFVDRandom(width=32).remarks(windows)):
        assert (len(said) == 1) == (windows < 32)
        assert not said or rank < 31, "there are directions in which nothing is measured"
    assert FGD().remarks(windows) == [], "nobody says how many features"
