"""Windows that are held out: which, how many, and what is measured over them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from rgx.gesture.skeleton import KEPT
from rgx.gesture.stages.corpus import CorpusStage
from rgx.gesture.types import Batch, ClipSpan, CorpusFacts
from rgx.gesture.validation import MOST, dev_batches, held_out, load_dev
from rgx.store.workspace import Inputs, Workspace


def inputs_of(folder: Path, dev_frames: int) -> Inputs:
    """Return a corpus of one training clip and one dev clip, whose motion is the number of its frame."""
    spans, start = [], 0
    for split, frames in (("train", 200), ("dev", dev_frames)):
        spans.append(ClipSpan(split, 0, split, start, frames, (0.0, 0.0), 1.0))
        start += frames
    motion = torch.arange(start, dtype=torch.float32)[:, None, None].expand(start, len(KEPT), 2)
    workspace = Workspace(folder / "corpus", "cpu", lambda _: None)
    scale = {"mean": torch.zeros(len(KEPT), 2), "std": torch.ones(len(KEPT), 2)}
    valid = torch.ones(start, len(KEPT), dtype=torch.bool)
    workspace.save_arrays({"motion": motion, "valid": valid, **scale})
    workspace.save_about({"speakers": ["a"], "spans": [asdict(span) for span in spans]})
    return Inputs({}, {"corpus": folder / "corpus"})


def test_windows_of_dev_alone_are_held_out_in_equal_batches(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 81 + 10 * 44)
    batches = dev_batches(inputs, "cpu", 20)
    assert [len(batch.motion) for batch in batches] == [20, 20]
    firsts = torch.cat([batch.motion[:, 0, 0, 0] for batch in batches])
    assert firsts.min() == 201 and firsts.max() == 201 + 10 * 44
    assert len(firsts.unique()) == 40
    (small,) = dev_batches(inputs, "cpu", 4 * MOST)
    assert len(small.motion) == 45


def test_never_more_than_so_many(tmp_path: Path) -> None:
    batches = dev_batches(inputs_of(tmp_path, 81 + 10 * (2 * MOST)), "cpu", 32)
    assert sum(len(batch.motion) for batch in batches) == MOST


def test_without_a_dev_window_nothing_is_held_out(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 80)
    assert load_dev(inputs, "cpu") is None
    assert held_out(lambda batch: {}, dev_batches(inputs, "cpu", 8)) is None


def test_a_measure_is_the_mean_over_batches_and_the_sum_of_losses(tmp_path: Path) -> None:
    batches = dev_batches(inputs_of(tmp_path, 81 + 10 * 3), "cpu", 2)

    def losses(batch: Batch) -> dict[str, torch.Tensor]:
        first = batch.motion[:, 0, 0, 0].mean()
        return {"first": first, "half": first / 2}

    validation = held_out(losses, batches, score="more", more=lambda: {"more": 7.0}, higher=True)
    assert validation is not None
    # Windows begin at 201, 211, 221 and 231.
    assert validation.measure() == {"loss": 324.0, "first": 216.0, "half": 108.0, "more": 7.0}
    assert (validation.score, validation.higher) == ("more", True)


@pytest.mark.parametrize(
    ("clips", "frames", "said"),
    [
        ({"dev": 1}, {"dev": (81,)}, 0),
        ({"dev": 1}, {"dev": (80,)}, 1),
        ({"train": 1}, {"train": (90,)}, 1),
        ({"dev": 1}, {}, 0),
        ({"train": 1}, {}, 1),
    ],
)
def test_a_corpus_without_dev_says_so(
    clips: dict[str, int], frames: dict[str, tuple[int, ...]], said: int
) -> None:
    class Named:
        def facts(self) -> CorpusFacts:
            return CorpusFacts(("a",), clips, "", frames=frames)

    assert len(CorpusStage(Named()).remarks({})) == said  # type: ignore[arg-type]
