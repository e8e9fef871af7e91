"""Videos of any system, read and written alike: one size, rate, length, loudness and encoder for all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from rgx.errors import InputError
from rgx.study.loudness import RATE_HZ

QUALITY = {"crf": "16", "preset": "medium", "x264-params": "cpu-independent=1"}
SOUND_BIT_RATE_HZ = 128_000
BT709, LIMITED = 1, 1
CHUNK = 1024
"""Samples of an AAC frame."""


@dataclass(frozen=True)
class MovingPictures:
    """What a file shows, (T, H, W, 3) uint8 at a rate, and its sound (S,) at 48 kHz, or None."""

    frames: np.ndarray
    sound: np.ndarray | None
    rate_hz: int

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return len(self.frames) / self.rate_hz


def read_film(path: Path, size_px: int, rate_hz: int) -> MovingPictures:
    """Return a video's pictures, fitted into a square of `size_px` with black beside them, at one rate.

    The picture shown at each tick of the rate is kept. Raises InputError for what is no readable video.
    """
    pictures: list[np.ndarray] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: no video in it")
            stream = container.streams.video[0]
            own_rate = float(stream.average_rate or rate_hz)
            first, last = None, 0.0
            for number, picture in enumerate(container.decode(stream)):
                at_s = picture.time if picture.time is not None else number / own_rate
                first = at_s if first is None else first
                last = at_s - first
                fitted = _fit(picture.to_ndarray(format="rgb24"), size_px)
                while len(pictures) < round((last + 1 / own_rate) * rate_hz):
                    pictures.append(fitted)
        if not pictures:
            raise InputError(f"{path}: it holds no pictures")
        return MovingPictures(np.stack(pictures), read_sound(path), rate_hz)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None


def _fit(picture: np.ndarray, size_px: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = size_px / max(height, width)
    image = Image.fromarray(picture)
    if scale != 1:
        shape = max(round(width * scale), 1), max(round(height * scale), 1)
        image = image.resize(shape, Image.Resampling.BICUBIC)
    canvas = np.zeros((size_px, size_px, 3), np.uint8)
    top, left = (size_px - image.height) // 2, (size_px - image.width) // 2
    canvas[top : top + image.height, left : left + image.width] = np.asarray(image)
    return canvas


def read_sound(path: Path) -> np.ndarray | None:
    """Return a file's sound (S,), mono at 48 kHz, or None where it has none; PyAV's errors pass."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    parts: list[np.ndarray] = []
    with av.open(str(path)) as container:
        tracks = [stream for stream in container.streams if isinstance(stream, av.AudioStream)]
        if not tracks:
            return None
        for frame in container.decode(tracks[0]):
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
        parts += [out.to_ndarray()[0] for out in resampler.resample(None)] if parts else []
    return np.concatenate(parts) if parts else None


def write_film(
    path: Path, frames: Sequence[np.ndarray] | np.ndarray, rate_hz: int, sound: np.ndarray | None
) -> None:
    """Write pictures and sound as H.264 and AAC; the same input gives the same bytes, without metadata.

    sound: (S,) at 48 kHz, cut or followed by silence where the pictures end. The file appears whole or not at
    all. Raises InputError where it cannot be written; OSError passes for a disk that is full.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with av.open(
            str(draft), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
        ) as container:
            video = container.add_stream("libx264", rate=rate_hz, options=QUALITY)
            video.height, video.width = frames[0].shape[:2]
            video.pix_fmt = "yuv420p"
            video.codec_context.thread_count = 1  # how pictures are cut would follow the machine's cores
            video.codec_context.colorspace, video.codec_context.color_range = BT709, LIMITED
            voice = None
            if sound is not None:
                voice = container.add_stream("aac", rate=RATE_HZ, layout="mono")
                voice.bit_rate = SOUND_BIT_RATE_HZ
            for number, picture in enumerate(frames):
                shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
                shown = shown.reformat(format="yuv420p", dst_colorspace=BT709)
                shown.pts = number
                container.mux(video.encode(shown))
            container.mux(video.encode(None))
            if voice is not None and sound is not None:
                for heard in _pieces(sound, len(frames) * RATE_HZ // rate_hz):
                    container.mux(voice.encode(heard))
                container.mux(voice.encode(None))
        draft.replace(path)
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, av.FFmpegError):
            raise
        raise InputError(f"{path}: cannot be written: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _pieces(sound: np.ndarray, samples: int) -> Iterator[av.AudioFrame]:
    whole = np.zeros(samples, np.float32)
    whole[: min(len(sound), samples)] = sound[:samples]
    for start in range(0, samples, CHUNK):
        heard = av.AudioFrame.from_ndarray(
            np.minimum(np.maximum(whole[None, start : start + CHUNK], -1), 1), format="fltp", layout="mono"
        )
        heard.sample_rate, heard.pts = RATE_HZ, start
        yield heard
