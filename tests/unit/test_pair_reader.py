"""Pairs read ahead: a plain loop's draws, exact when it goes on, errors as themselves, no thread left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rgx.errors import InputError, StoppedError
from rgx.gesture.data.pair_reader import PairReader
from rgx.gesture.data.picture_file import PictureFile, PictureWriter
from rgx.gesture.data.picture_pairs import Pictures, PictureSpan
from rgx.gesture.types import Pairs
from rgx.store.workspace import Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

SIZE, BATCH = 32, 4
CLIPS = (("train", 20), ("test", 9), ("train", 33))


def corpus(folder: Path) -> tuple[Pictures, np.ndarray]:
    """Return pictures of noise, and the same as an array."""
    total = sum(frames for _, frames in CLIPS)
    frames = np.random.default_rng(0).integers(0, 256, (total, SIZE, SIZE, 3), np.uint8)
    spans, start = [], 0
    for number, (split, count) in enumerate(CLIPS):
        spans.append(PictureSpan(f"clip{number}", 0, split, start, count, (0.0, 0.0), 1.0))
        start += count
    folder.mkdir(exist_ok=True)
    with PictureWriter(folder / "frames.bin") as file:
        file.add(frames)
    pose = torch.randn(total, 3, 2, generator=torch.Generator().manual_seed(1))
    valid = torch.rand(total, 3, generator=torch.Generator().manual_seed(2)) < 0.5
    return Pictures(PictureFile(folder / "frames.bin", file.ends, SIZE), pose, valid, spans, "cpu"), frames


def plain(pictures: Pictures, frames: np.ndarray) -> Pairs:
    """Draw and read at once, as simply as it can be said."""
    spans = [span for span in pictures.spans if span.split == "train"]
    places = torch.randint(sum(span.frames for span in spans), (BATCH,)).tolist()
    shares = torch.rand(BATCH)
    first, second = [], []
    for place, share in zip(places, shares, strict=True):
        for span in spans:
            if place < span.frames:
                break
            place -= span.frames
        first.append(span.start + place)
        second.append(span.start + int(share * span.frames))
    both = [torch.from_numpy(frames[index]).permute(0, 3, 1, 2).float() / 255 for index in (first, second)]
    return Pairs(
        *both, pictures.pose[first], pictures.pose[second], pictures.valid[first], pictures.valid[second]
    )


def same(one: Pairs, other: Pairs) -> bool:
    return all(torch.equal(value, vars(other)[name]) for name, value in vars(one).items())


@pytest.mark.parametrize("between", [lambda step: 0, lambda step: 7, lambda step: step % 3])
def test_the_pairs_are_those_of_a_plain_loop(tmp_path: Path, between: Callable[[int], int]) -> None:
    """Whatever else a step draws, before the reader looks ahead or after."""
    pictures, frames = corpus(tmp_path)
    torch.manual_seed(3)
    expected = []
    for step in range(12):
        expected.append(plain(pictures, frames))
        torch.rand(between(step))
        torch.randn(step % 2)
    end = torch.get_rng_state()
    torch.manual_seed(3)
    with PairReader(pictures, BATCH) as reader:
        for step in range(12):
            assert same(reader.draw(), expected[step])
            torch.rand(between(step))
            reader.look_ahead()
            torch.randn(step % 2)
    assert torch.equal(torch.get_rng_state(), end)
    assert 5 <= reader.read_ahead < 11, "a draw after it looked ahead makes it read anew, and only that"


class Little(nn.Module):
    """A network that draws random numbers itself, as dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * SIZE * SIZE, 1)

    def loss(self, pairs: Pairs) -> Tensor:
        kept = torch.rand(len(pairs.source)) < 0.7
        change = self.layer(pairs.source.flatten(1)) - pairs.driving.flatten(1).mean(1, keepdim=True)
        return (change[:, 0] * kept).square().mean()


class Ended(Workspace):
    """A workspace that is told to end at a step, as by SIGTERM: a checkpoint, then no more."""

    def __init__(self, folder: Path, at: int) -> None:
        super().__init__(folder, "cpu", lambda _: None, go_on=True)
        self.at = at

    def progress(self, done: int, total: int, **values: float | Tensor) -> None:
        if done == self.at - 1:
            self.checkpoints.stopping = True
        super().progress(done, total, **values)


def trained(folder: Path, workspace: Workspace, ahead: bool = True) -> dict[str, Tensor]:
    pictures, frames = corpus(folder)
    torch.manual_seed(0)
    network = Little()
    with PairReader(pictures, BATCH) as reader:

        def losses() -> dict[str, Tensor]:
            pairs = reader.draw() if ahead else plain(pictures, frames)
            terms = {"loss": network.loss(pairs)}
            if ahead:
                reader.look_ahead()
            return terms

        fit(network, losses, AdamW(steps=20, batch=BATCH, checkpoint_every=1000), workspace)
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_training_that_was_ended_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = trained(tmp_path, Workspace(tmp_path / "plain", "cpu", lambda _: None), ahead=False)
    read = trained(tmp_path, Workspace(tmp_path / "whole", "cpu", lambda _: None))
    assert all(torch.equal(read[name], value) for name, value in whole.items())
    with pytest.raises(StoppedError):
        trained(tmp_path, Ended(tmp_path / "ended", 9))
    assert not reading(), "no thread is left behind"
    goes_on = Workspace(tmp_path / "ended", "cpu", lambda _: None, go_on=True)
    continued = trained(tmp_path, goes_on)
    assert all(torch.equal(continued[name], value) for name, value in whole.items())


def reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]


def test_what_reading_raises_is_raised_by_the_draw_that_wants_it(tmp_path: Path) -> None:
    pictures, _ = corpus(tmp_path)
    with PairReader(pictures, BATCH) as reader:
        reader.draw()
        (tmp_path / "frames.bin").write_bytes(b"")
        reader.look_ahead()
        time.sleep(0.05)  # the reading has failed by now, and nobody is told yet
        with pytest.raises(InputError, match=r"frames\.bin: picture \d+ cannot be read"):
            reader.draw()
    assert not reading()


class Slow(PictureFile):
    """Counts the pictures being read or waiting in memory, and waits on each."""

    began = 0

    def read_into(self, place: np.ndarray, number: int) -> None:
        self.began += 1
        time.sleep(0.02)
        super().read_into(place, number)


def test_leaving_early_waits_for_no_more_than_the_picture_in_hand(tmp_path: Path) -> None:
    pictures, _ = corpus(tmp_path)
    pictures.frames = Slow(tmp_path / "frames.bin", pictures.frames._ends, SIZE)
    torch.set_num_threads(1)
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), PairReader(pictures, 200) as reader:
        reader.look_ahead()
        raise ZeroDivisionError
    assert time.monotonic() - began < 2 and not reading()
    assert pictures.frames.began < 50


def test_one_batch_is_read_ahead_and_no_more(tmp_path: Path) -> None:
    pictures, _ = corpus(tmp_path)
    pictures.frames = slow = Slow(tmp_path / "frames.bin", pictures.frames._ends, SIZE)
    with PairReader(pictures, BATCH) as reader:
        reader.draw()
        reader.look_ahead()
        time.sleep(0.4)
        assert slow.began == 2 * 2 * BATCH
        reader.draw()
        assert slow.began == 2 * 2 * BATCH
