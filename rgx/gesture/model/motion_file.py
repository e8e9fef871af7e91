"""Motion of any length as an .npz that every reader of keypoints here reads, written as it comes."""

from __future__ import annotations

import contextlib
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.skeleton import KEPT, POINTS

STORED = zipfile.ZIP_STORED
ROWS = 1024


def write_motion(out: Path, poses: Iterable[Tensor], frames: int, size_px: int) -> None:
    """Write poses (N, K, 2) in [−1, 1], `frames` in all, as points in px of pictures `size_px` wide.

    The arrays are those of rgx's keypoint files: points (T, 133, 2), scores (T, 133), size_px (2,); feet,
    which no motion has, score 0. The file appears when all of it is written; raises InputError else.
    """
    with written_whole(out) as draft, zipfile.ZipFile(draft, "w", STORED) as archive:
        with _array(archive, "points", (frames, POINTS, 2)) as points:
            for pose in poses:
                every = np.zeros((len(pose), POINTS, 2), np.float32)
                every[:, KEPT] = (pose.numpy() + 1) * (size_px / 2)
                points.write(every.tobytes())
        seen = np.zeros(POINTS, np.float32)
        seen[list(KEPT)] = 1
        with _array(archive, "scores", (frames, POINTS)) as scores:
            for start in range(0, frames, ROWS):
                scores.write(np.tile(seen, (min(ROWS, frames - start), 1)).tobytes())
        with _array(archive, "size_px", (2,), np.int64) as size:
            size.write(np.array([size_px, size_px], np.int64).tobytes())


@contextlib.contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """Give a name to write under, which becomes `out` when all went well, and is gone otherwise."""
    draft = out.with_name(f".{secrets.token_hex(8)}.draft")
    try:
        yield draft
        draft.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], kind: type = np.float32
) -> Iterator[IO[bytes]]:
    """Give a member of an .npz whose numbers follow, after the header that tells how many there will be."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        layout = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(member, {**layout, "shape": shape})
        yield member
