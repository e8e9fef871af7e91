"""The first picture of a video as a file, so that a page shows it without loading the video."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

POSTER, QUALITY = ".jpg", 85
MARK = b"ftyp"
"""What an mp4 file has after its first four bytes."""


def put_poster(video: Path, poster: Path) -> bool:
    """Write a video's first picture, unless it was written from the same video; returns whether it is there.

    A video that cannot be decoded has none. Raises OSError where it cannot be written.
    """
    made_ns = video.stat().st_mtime_ns
    if poster.is_file() and poster.stat().st_mtime_ns == made_ns:
        return True
    picture = _first_picture(video)
    if picture is None:
        poster.unlink(missing_ok=True)
        return False
    draft = poster.with_name(f".{poster.name}.{os.getpid()}.tmp")
    try:
        picture.save(draft, "jpeg", quality=QUALITY)
        os.utime(draft, ns=(made_ns, made_ns))  # by which it is known again
        draft.replace(poster)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _first_picture(video: Path) -> Image.Image | None:
    with video.open("rb") as file:
        if file.read(8)[4:] != MARK:
            return None
    import av  # slow to import, and few reports show a new video

    try:
        with av.open(str(video)) as container:
            for frame in container.decode(video=0):
                return Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError):
        return None
    return None
