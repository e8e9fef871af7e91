"""Pictures in one file: the same pixels, any of them alone, and what is wrong said of the file."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from rgx.errors import InputError
from rgx.gesture.data.picture_file import PictureFile, PictureWriter
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.stages.frames import FramesStage
from rgx.gesture.types import Footage, PictureFacts
from rgx.store.workspace import Inputs, Workspace

SIZE = 32


def noise(count: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def smooth(count: int, size: int = SIZE) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.stack([np.stack([4 * x, 4 * y, 2 * (x + y) + n], axis=-1) for n in range(count)]).astype(
        np.uint8
    )


def written(path: Path, pictures: np.ndarray) -> PictureFile:
    with PictureWriter(path) as file:
        file.add(pictures)
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


def resident() -> int:
    """Return the bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux says how much memory a process has")
def test_reading_a_large_file_takes_no_more_memory_than_a_batch(tmp_path: Path) -> None:
    pictures = noise(100, 96)
    path = tmp_path / "frames.bin"
    with PictureWriter(path) as file:
        for _ in range(20):
            file.add(pictures)
    read = PictureFile(path, file.ends, 96)
    read[:10]
    before = resident()
    for start in range(0, len(read), 10):
        assert len(read[start : start + 10]) == 10
    assert path.stat().st_size > 40e6 and resident() - before < 10e6


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


class Recorded(Puppets):
    """A corpus whose footage is not of the clips that its keypoints are of."""

    def footage(self, size_px: int) -> Iterator[Footage]:
        for footage in super().footage(size_px):
            yield Footage(footage.name, footage.frames[1:], footage.frame_px)


def test_footage_of_another_length_is_refused(tmp_path: Path) -> None:
    corpus = Recorded(PlainWorld(), speakers=1, train_clips=1, dev_clips=0, test_clips=0, clip_s=4.0)
    span = {"speaker": 0, "split": "train", "start": 0, "frames": 100, "origin_px": (16, 16), "scale_px": 8}
    (name,) = (clip.name for clip in corpus.clips())
    folder = Workspace(tmp_path / "corpus", "cpu", lambda _: None)
    folder.save_arrays({"motion": torch.zeros(100, 2, 2), "valid": torch.ones(100, 2, dtype=torch.bool)})
    folder.save_about({"spans": [{"name": name, **span}]})
    workspace = Workspace(tmp_path / "frames", "cpu", lambda _: None)
    with pytest.raises(InputError, match=f"clip {name} has 100 frames of keypoints, but the pictures are 99"):
        FramesStage(corpus, SIZE).run(
            Inputs({}, {"corpus": folder.folder}), workspace, PictureFacts(SIZE, corpus.facts())
        )
