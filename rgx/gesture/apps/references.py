"""The recordings of the windows that a row's videos show, as videos: the hidden reference of a user study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.gesture.data.picture_file import NAME, PictureFile
from rgx.gesture.figures.test_window import ARRAYS, read_part
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.gesture.video.files import write_mp4


def film_references(folders: Mapping[str, Path], stage: str, out: Path) -> None:
    """Write the recording of each window that a stage filmed, with its speech, under the name it has there.

    folders: those of the row's finished stages. Raises InputError where one that is needed is not there.
    """
    for needed in (stage, "frames", "corpus"):
        if needed not in folders:
            raise InputError(f"a recording needs the stage '{needed}' of the row, which is not in the store")
    starts = _about(folders[stage])["starts"]
    size = _about(folders["frames"])["size_px"]
    pictures = PictureFile(folders["frames"] / NAME, read_part(folders["frames"] / ARRAYS, "ends"), size)
    out.mkdir(parents=True, exist_ok=True)
    for row, start in enumerate(starts):
        end = start + WINDOW_FRAMES
        heard = slice(start * SAMPLES_PER_FRAME, end * SAMPLES_PER_FRAME)
        waveform = read_part(folders["corpus"] / ARRAYS, "waveform", heard)
        write_mp4(out / f"{row:04d}.mp4", pictures[start:end], waveform)


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'about.json'}: cannot be read: {error}") from None
    return dict(about)
