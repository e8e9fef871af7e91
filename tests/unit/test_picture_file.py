"""Pictures in one file: the same pixels, any of them alone, and what is wrong said of the file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from rgx.errors import InputError
from rgx.gesture.data.base import Corpus
from rgx.gesture.data.picture_file import PictureFile, PictureWriter
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.stages.frames import FramesStage
from rgx.gesture.types import Clip, ClipSpan, CorpusFacts, Footage, PictureFacts
from rgx.store.workspace import Inputs, Workspace

SIZE = 32


def noise(count: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def smooth(count: int, size: int = SIZE) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.stack([np.stack([4 * x, 4 * y, 2 * (x + y) + n], axis=-1) for n in range(count)]).astype(
        np.uint8
    )


def written(path: Path, pictures: np.ndarray, quality: int = 0) -> PictureFile:
    with PictureWriter(path) as file:
        file.add(pictures, quality)
    return PictureFile(path, file.ends, pictures.shape[1])


def test_without_loss_every_pixel_comes_back(tmp_path: Path) -> None:
    pictures = np.concatenate([noise(5), smooth(5), np.zeros((1, SIZE, SIZE, 3), np.uint8)])
    file = written(tmp_path / "frames.bin", pictures)
    assert file.shape == pictures.shape and len(file) == 11
    assert np.array_equal(file[:], pictures)
    assert np.array_equal(file[3:7], pictures[3:7]) and np.array_equal(file[9:99], pictures[9:])
    index = np.array([10, 0, 4, 4])
    assert np.array_equal(file[index], pictures[index])
    assert file[np.array([], int)].shape == (0, SIZE, SIZE, 3)
    with pytest.raises(IndexError):
        file[np.array([11])]


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    pictures = noise(40)
    file = written(tmp_path / "frames.bin", pictures)
    with ThreadPoolExecutor(8) as pool:
        for number, picture in enumerate(pool.map(lambda n: file[n : n + 1][0], list(range(40)) * 5)):
            assert np.array_equal(picture, pictures[number % 40])


def test_one_file_holds_pictures_with_and_without_loss(tmp_path: Path) -> None:
    pictures = smooth(60)
    with PictureWriter(tmp_path / "frames.bin") as file:
        file.add(pictures[:30], 90)
        file.add(pictures[30:])
    read = PictureFile(tmp_path / "frames.bin", file.ends, SIZE)[:]
    assert np.array_equal(read[30:], pictures[30:]) and not np.array_equal(read[:30], pictures[:30])
    error = np.square(read[[0, 25]].astype(float) - pictures[[0, 25]]).mean()
    assert file.psnr() == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6) and file.psnr() > 30


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "frames.bin"
    file = written(path, noise(3))
    content = bytearray(path.read_bytes())
    content[file._ends[0] : file._ends[0] + 40] = bytes(40)
    path.write_bytes(content)
    assert len(file[:1]) == 1
    with pytest.raises(InputError, match=r"frames\.bin: picture 1 cannot be read"):
        file[:]
    path.write_bytes(content[:-50])
    with pytest.raises(InputError, match="picture 2 cannot be read"):
        file[2:]
    with pytest.raises(InputError, match="picture 0 is 32×32 px: expected 64×64 px"):
        PictureFile(path, file._ends, 64)[:1]


class Recorded(Corpus):
    """Clips of given splits whose pictures are smooth."""

    def __init__(self, *splits: str) -> None:
        self.splits = splits

    def facts(self) -> CorpusFacts:
        return CorpusFacts(("a",), {split: self.splits.count(split) for split in self.splits}, "")

    def clips(self) -> Iterator[Clip]:
        return iter(())

    def footage(self, size_px: int) -> Iterator[Footage]:
        for number, _ in enumerate(self.splits):
            yield Footage(f"clip{number}", smooth(30, size_px), float(size_px))


class Given(Inputs):
    """The facts of a corpus of 30 frames a clip."""

    def __init__(self, *splits: str) -> None:
        super().__init__({}, {})
        self.spans = [
            ClipSpan(f"clip{n}", 0, split, 30 * n, 30, (16.0, 16.0), 8.0) for n, split in enumerate(splits)
        ]

    def arrays(self, stage: str, name: str = "arrays") -> dict:
        count = 30 * len(self.spans)
        return {"motion": torch.zeros(count, 2, 2), "valid": torch.ones(count, 2, dtype=torch.bool)}

    def about(self, stage: str) -> dict:
        return {"spans": [vars(span) for span in self.spans]}


def test_only_what_is_trained_on_may_lose_anything(tmp_path: Path) -> None:
    splits = ("train", "test", "dev")
    facts = PictureFacts(SIZE, Recorded(*splits).facts())
    outputs, read = {}, {}
    for quality in (0, 95):
        workspace = Workspace(tmp_path / str(quality), "cpu", lambda _: None)
        stage = FramesStage(Recorded(*splits), SIZE, quality)
        outputs[quality] = stage.run(Given(*splits), workspace, facts)
        made = Inputs({}, {"frames": workspace.folder})
        ends = made.arrays("frames")["ends"].numpy()
        read[quality] = PictureFile(workspace.folder / "frames.bin", ends, made.about("frames")["size_px"])[:]
        assert outputs[quality]["bytes"] == (workspace.folder / "frames.bin").stat().st_size
    assert np.array_equal(read[0], np.concatenate([smooth(30)] * 3)) and "train_psnr" not in outputs[0]
    assert np.array_equal(read[95][30:], read[0][30:]) and not np.array_equal(read[95][:30], read[0][:30])
    assert 35 < outputs[95]["train_psnr"] < 70


@pytest.mark.parametrize("quality", [-1, 101])
def test_a_quality_that_is_none_is_refused(quality: int) -> None:
    with pytest.raises(InputError, match=f"train_jpeg_quality = {quality}: expected 1 to 100, or 0"):
        FramesStage(Puppets(), SIZE, quality)
