"""Videos of any system, read and written alike: one size, rate, length, loudness and encoder for all."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from rgx.errors import InputError
from rgx.study.loudness import RATE_HZ

QUALITY = {"crf": "16", "preset": "faster", "x264-params": "cpu-independent=1"}
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


def write_film(path: Path, frames: np.ndarray, rate_hz: int, sound: np.ndarray | None = None) -> None:
    """Write pictures (T, H, W, 3) uint8, and sound where there is any, as H.264 and AAC without metadata.

    sound: (S,) at 48 kHz, cut or followed by silence where the pictures end. The same input gives the same
    bytes. Raises InputError where it cannot be written; OSError passes for a disk that is full.
    """
    with _container(path) as container:
        video = container.add_stream("libx264", rate=rate_hz, options=QUALITY)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # how pictures are cut would follow the machine's cores
        video.codec_context.colorspace, video.codec_context.color_range = BT709, LIMITED
        voice = _add_sound(container, sound)
        for number, picture in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
            shown = shown.reformat(format="yuv420p", dst_colorspace=BT709)
            shown.pts = number
            container.mux(video.encode(shown))
        container.mux(video.encode(None))
        _mux_sound(container, voice, sound, len(frames) * RATE_HZ // rate_hz)


def add_sound(silent: Path, path: Path, sound: np.ndarray) -> None:
    """Write a silent film again with a sound, its pictures the same to the bit; raises as `write_film`."""
    with av.open(str(silent)) as origin, _container(path) as container:
        pictures = origin.streams.video[0]
        video = container.add_stream_from_template(pictures)
        voice = _add_sound(container, sound)
        for packet in origin.demux(pictures):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        seconds = float((pictures.duration or 0) * (pictures.time_base or 0))
        _mux_sound(container, voice, sound, round(seconds * RATE_HZ))


@contextlib.contextmanager
def _container(path: Path) -> Iterator[av.container.OutputContainer]:
    """Give a container whose file appears whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    try:
        with av.open(str(draft), "w", format="mp4", options=options) as container:
            yield container
        draft.replace(path)
    except (av.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(errno.ENOSPC, "no space left on device", str(path)) from None
        raise InputError(f"{path}: cannot be written: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _add_sound(container: av.container.OutputContainer, sound: np.ndarray | None) -> av.AudioStream | None:
    if sound is None:
        return None
    voice = container.add_stream("aac", rate=RATE_HZ, layout="mono")
    voice.bit_rate = SOUND_BIT_RATE_HZ
    return voice


def _mux_sound(
    container: av.container.OutputContainer,
    voice: av.AudioStream | None,
    sound: np.ndarray | None,
    samples: int,
) -> None:
    if voice is None or sound is None:
        return
    whole = np.zeros(samples, np.float32)
    whole[: min(len(sound), samples)] = np.minimum(np.maximum(sound[:samples], -1), 1)
    for start in range(0, samples, CHUNK):
        heard = av.AudioFrame.from_ndarray(whole[None, start : start + CHUNK], format="fltp", layout="mono")
        heard.sample_rate, heard.pts = RATE_HZ, start
        container.mux(voice.encode(heard))
    container.mux(voice.encode(None))
