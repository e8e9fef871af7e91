"""Video files: pictures and speech to mp4, and back."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from PIL import Image

from rgx.errors import InputError
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.memory import remember

VIDEO_ENCODER: Final = "libx264"
AUDIO_ENCODER: Final = "aac"
X264_OPTIONS = {"crf": "18", "x264-params": "cpu-independent=1"}
"""Its default macroblock tree gave 526 different streams in 1,500 encodings of the same 64 px pictures."""
SPEECH_BIT_RATE_HZ = 64_000
BT601, LIMITED = 6, 1
"""FFmpeg's numbers for the colours PyAV converts to."""


class Video(NamedTuple):
    """What a video file says about itself without its pixels being decoded."""

    width_px: int
    height_px: int
    frames: int
    start_s: float


Heard = np.ndarray | Iterable[np.ndarray] | None
"""Speech (S,) in [−1, 1] at 16 kHz, all of it or (640,) a picture, or nothing."""


def write_mp4(path: Path, frames: Iterable[np.ndarray], waveform: Heard = None) -> None:
    """Write pictures (H, W, 3) uint8 at 25 fps as H.264 and speech as AAC.

    Odd sizes gain a repeated edge; speech is cut, or followed by silence, where the pictures end. The same
    input gives the same bytes, and the file appears only when all of it is written. Raises InputError
    without frames, for frames of different sizes, when PyAV lacks an encoder, or when the file cannot be
    written; ValueError for arrays of another kind. What `frames` raises passes through. Source: ours.
    """
    if isinstance(waveform, np.ndarray) and (waveform.ndim != 1 or not np.isfinite(waveform).all()):
        raise ValueError(f"a waveform of shape {waveform.shape}: expected finite numbers of shape (S,)")
    _check_encoder(path, VIDEO_ENCODER)
    if waveform is not None:
        _check_encoder(path, AUDIO_ENCODER)
    if path.is_dir():
        raise InputError(f"{path}: cannot be written: it is a folder")
    draft = path.with_name(f".{secrets.token_hex(8)}.draft")
    with _writing(path):
        draft.touch()
    try:
        _encode(path, draft, frames, waveform)
        with _writing(path):
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _encode(path: Path, draft: Path, frames: Iterable[np.ndarray], waveform: Heard) -> None:
    encoder: _Encoder | None = None
    first: tuple[int, ...] = ()
    try:
        for n, frame in enumerate(frames):
            if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
                raise ValueError(f"frame {n} is {frame.dtype} {frame.shape}: expected uint8 (H, W, 3)")
            first = first or frame.shape
            if frame.shape != first:
                sizes = f"{_size(frame.shape[1], frame.shape[0])}, the first is {_size(first[1], first[0])}"
                raise InputError(f"{path}: frame {n} is {sizes}: expected one size")
            with _writing(path):
                encoder = encoder or _Encoder(draft, first[0], first[1], waveform)
                encoder.add(frame)
        if encoder is None:
            raise InputError(f"{path}: no frames to write")
        with _writing(path):
            encoder.finish()
    finally:
        if encoder is not None:
            with contextlib.suppress(av.FFmpegError):
                encoder.container.close()


class _Encoder:
    """An mp4 under way: each picture is followed by its 40 ms of speech."""

    def __init__(self, draft: Path, height: int, width: int, waveform: Heard) -> None:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        self.container = av.open(str(draft), "w", format="mp4", options=options)
        self.video = self.container.add_stream(VIDEO_ENCODER, rate=FPS, options=X264_OPTIONS)
        self.video.width, self.video.height = width + width % 2, height + height % 2
        self.video.pix_fmt = "yuv420p"
        # One thread: how x264 cuts a picture, and so every byte, would follow the machine's cores.
        self.video.codec_context.thread_count = 1
        # Untagged, players take a large picture for BT.709 and shift its colours.
        self.video.codec_context.colorspace, self.video.codec_context.color_range = BT601, LIMITED
        self.audio: av.AudioStream | None = None
        self.heard = _by_picture(waveform) if isinstance(waveform, np.ndarray) else iter(waveform or ())
        if waveform is not None:
            self.audio = self.container.add_stream(AUDIO_ENCODER, rate=SAMPLE_RATE_HZ, layout="mono")
            self.audio.bit_rate = SPEECH_BIT_RATE_HZ
        self.margin = ((0, height % 2), (0, width % 2), (0, 0))
        self.written = 0

    def add(self, frame: np.ndarray) -> None:
        """Encode the next picture and what is said during it."""
        picture = av.VideoFrame.from_ndarray(np.pad(frame, self.margin, mode="edge"), format="rgb24")
        picture.pts = self.written
        self.container.mux(self.video.encode(picture))
        if self.audio is not None:
            start = self.written * SAMPLES_PER_FRAME
            samples = np.zeros((1, SAMPLES_PER_FRAME), np.float32)
            heard = next(self.heard, samples[0, :0])
            samples[0, : len(heard)] = heard.clip(-1, 1)
            sound = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            sound.sample_rate, sound.pts = SAMPLE_RATE_HZ, start
            self.container.mux(self.audio.encode(sound))
        self.written += 1

    def finish(self) -> None:
        """Encode what the encoders still hold and close the file."""
        self.container.mux(self.video.encode(None))
        if self.audio is not None:
            self.container.mux(self.audio.encode(None))
        self.container.close()


def _by_picture(waveform: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what is said during each picture."""
    for start in range(0, len(waveform), SAMPLES_PER_FRAME):
        yield waveform[start : start + SAMPLES_PER_FRAME]


def check_encoders() -> None:
    """Raise InputError when PyAV lacks an encoder of mp4 files with speech."""
    for name in (VIDEO_ENCODER, AUDIO_ENCODER):
        _check_encoder("an mp4 file with speech", name)


def _check_encoder(what: Path | str, name: str) -> None:
    try:
        av.Codec(name, "w")
    except ValueError:  # PyAV's UnknownCodecError
        lacking = f"PyAV {av.__version__} on this machine has no encoder '{name}'"
        raise InputError(f"{what}: {lacking}; the wheels of `pip install av` have it") from None


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def shape_of(path: Path) -> tuple[float, int, int]:
    """Return a video's mean frames per second, width and height in px; raises InputError when unreadable."""
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(path, container)
            return float(stream.average_rate or 0), stream.width, stream.height
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None


def read_frames(path: Path, size_px: int) -> Iterator[np.ndarray]:
    """Yield a video's square pictures as (size_px, size_px, 3) uint8, each pixel the mean of what it covers.

    Raises InputError when the file is unreadable, a picture is not square, or their size changes midway.
    """
    first, n = None, 0
    try:
        with av.open(str(path)) as container:
            for n, frame in enumerate(container.decode(_video_stream(path, container)), 1):
                check_square(path, frame.width, frame.height)
                first = first or frame.width
                if frame.width != first:
                    sizes = f"{_size(frame.width, frame.height)}, those before {_size(first, first)}"
                    raise InputError(f"{path}: frame {n - 1} is {sizes}: expected one size")
                yield fit(frame.to_ndarray(format="rgb24"), size_px)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None
    if not n:
        raise InputError(f"{path}: unreadable as a video: it holds no pictures")


def fit(frame: np.ndarray, size_px: int) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 as (size_px, size_px, 3), each pixel the mean of what it covers."""
    if frame.shape[:2] == (size_px, size_px):
        return frame
    return np.array(Image.fromarray(frame).resize((size_px, size_px), Image.Resampling.BOX))


def check_square(path: Path, width_px: int, height_px: int) -> None:
    """Raise InputError unless a video's pictures are square."""
    if width_px != height_px:
        size = _size(width_px, height_px)
        raise InputError(f"{path}: pictures of {size}, expected square ones: crop the video first")


def check_pictures(path: Path) -> None:
    """Raise InputError unless a video's pictures are square and of one size, as its key frames tell.

    A codec begins another size with a key frame, so few pictures are decoded; what a file holds is
    remembered until it changes. Raises InputError for an unreadable one, too.
    """
    try:
        path.stat()
    except OSError as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror}") from None
    sizes = remember(f"pictures' sizes {str(path.absolute())!r}", [path], lambda: _sizes(path))
    for _, width_px, height_px in sizes[:1]:
        check_square(path, width_px, height_px)
    if len(sizes) > 1:
        (_, *before), (time_s, *after) = sizes[:2]
        change = f"from {_size(*before)} to {_size(*after)} at {time_s:.2f} s"
        raise InputError(f"{path}: the pictures change {change}: expected one size")


def _sizes(path: Path) -> list[tuple[float, int, int]]:
    """Return when a size begins, in s, and the width and height in px; one entry where it never changes."""
    sizes: list[tuple[float, int, int]] = []
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(path, container)
            stream.codec_context.skip_frame = "NONKEY"
            for frame in container.decode(stream):
                if not sizes or sizes[-1][1:] != (frame.width, frame.height):
                    sizes.append((frame.time or 0.0, frame.width, frame.height))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None
    return sizes


def _size(width_px: int, height_px: int) -> str:
    return f"{width_px}×{height_px} px"


def _video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream):
        raise InputError(f"{path}: no video stream")
    return stream


def probe(path: Path) -> Video:
    """Return a video's size, frames and start; raises InputError unless upright, at 25 fps and with audio."""
    try:
        with av.open(str(path)) as container:
            stream, audio = _video_stream(path, container), container.streams.best("audio")
            if not isinstance(audio, av.AudioStream):
                raise InputError(f"{path}: no audio stream")
            rate = float(stream.average_rate or 0)
            if abs(rate - FPS) > 0.005:
                raise InputError(f"{path}: {rate:.3f} frames per second, expected {FPS}")
            shown_packets = (p for p in container.demux(stream, audio) if p.size and not p.is_discard)
            packets = Counter(p.stream.type for p in shown_packets)
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
            container.seek(0)
            turned = next((frame.rotation for frame in container.decode(stream)), 0) % 360
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None
    if turned:
        raise InputError(f"{path}: shown turned by {turned}°: `rgx prepare` writes clips upright")
    if not packets["audio"]:
        raise InputError(f"{path}: the audio stream is empty")
    return Video(stream.width, stream.height, packets["video"], start_s)


def read_speech(path: Path, start_s: float, samples: int) -> np.ndarray:
    """Return a file's audio from `start_s` on, (samples,) mono float32 at 16 kHz, padded with silence.

    Raises InputError when the audio cannot be decoded or lies wholly outside the video.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    waveform, parts, first_s = np.zeros(samples, np.float32), [np.zeros(0, np.float32)], None
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(container.streams.best("audio")):
                assert isinstance(frame, av.AudioFrame)
                first_s = frame.time if first_s is None else first_s
                parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
            parts += [out.to_ndarray()[0] for out in resampler.resample(None)] if len(parts) > 1 else []
    except (av.FFmpegError, OSError, ValueError) as error:  # ValueError: the format changes midway
        raise InputError(f"{path}: audio cannot be decoded: {error}") from None
    offset = round(((first_s or 0) - start_s) * SAMPLE_RATE_HZ)
    place = waveform[max(offset, 0) :]
    heard = np.concatenate(parts)[max(-offset, 0) :][: len(place)]
    if not len(heard):
        raise InputError(f"{path}: no audio during the video")
    place[: len(heard)] = heard
    return waveform
