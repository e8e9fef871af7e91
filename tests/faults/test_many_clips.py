"""A corpus of many clips is read once: a second plan opens none of them, and one that changed alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from planted_tracks import person

from rgx import memory
from rgx.gesture.data import tracked_clip
from rgx.gesture.data.videos import Videos
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.video.files import write_mp4

COUNT = int(os.environ.get("RGX_CLIPS", "100"))
FRAMES, LONG_AGO_S = 82, 1_700_000_000


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The clips whose files are read, in order."""
    read, seen = tracked_clip.read_tracked, list[Path]()

    def counted(path: Path, *rest: object) -> object:
        seen.append(path)
        return read(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tracked_clip, "read_tracked", counted)
    monkeypatch.setattr(memory, "_known", {})
    monkeypatch.setattr(memory, "_lasting", {})
    return seen


def make(folder: Path) -> None:
    """Write a corpus of one film and one track, under as many names as there are clips."""
    for name in ("clips", "landmarks"):
        (folder / name).mkdir()
    write_mp4(
        folder / "film.mp4", np.zeros((FRAMES, 32, 32, 3), np.uint8), np.zeros(FRAMES * 640, np.float32)
    )
    write_own_npz(folder / "track.npz", person(FRAMES) * np.float32([0.05, 0.05, 1]), 32, 32)
    for file in ("film.mp4", "track.npz"):
        os.utime(folder / file, (LONG_AGO_S, LONG_AGO_S))
    for n in range(COUNT):
        shutil.copy2(folder / "film.mp4", folder / f"clips/{n}.mp4")
        shutil.copy2(folder / "track.npz", folder / f"landmarks/{n}.npz")
    rows = [f"{n},ann,{'train' if n else 'test'}" for n in range(COUNT)]
    (folder / "index.csv").write_text("\n".join(["clip,speaker,split", *rows]))


def test_a_second_plan_reads_no_clip_again(tmp_path: Path, reads: list[Path]) -> None:
    make(tmp_path)
    facts = Videos(str(tmp_path)).facts()
    assert len(reads) == COUNT
    assert Videos(str(tmp_path)).facts() == facts and len(reads) == COUNT, "by this process"
    known = memory.lasting()
    memory._known.clear()
    memory.take_over(known)
    assert Videos(str(tmp_path)).facts() == facts and len(reads) == COUNT, "by the next one"
    write_own_npz(tmp_path / "landmarks/7.npz", person(FRAMES) * np.float32([0.04, 0.04, 1]), 32, 32)
    assert Videos(str(tmp_path)).facts() != facts
    assert [path.name for path in reads[COUNT:]] == ["7.mp4"], "what changed, alone"
