"""The nouns on the arrows and the one alphabet of shapes.

B batch · T motion frames (25 Hz) · S audio samples (16 kHz) · K keypoints ·
C flattened coordinates (2K) · F speech features · N tokens (T / 4) · Q quantizer layers ·
V codes in a codebook · D width of a network · H, W height and width of a picture in px ·
G groups of control points · P control points in a group, or frames or tokens before a window

Poses in pictures are (K, 2) with x to the right and y down, −1 and 1 at the picture's edges (not at the
centres of its outer pixels), so that they mean the same at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "dev", "test"]
FPS = 25
SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS
WINDOW_FRAMES = 80
WINDOW_STRIDE_FRAMES = 10
FRAMES_PER_TOKEN = 4
PREFIX_FRAMES = 8
PREFIX_TOKENS = PREFIX_FRAMES // FRAMES_PER_TOKEN


@dataclass(frozen=True)
class Clip:
    """One recording of one speaker, at 25 frames per second.

    keypoints (T, 133, 2) in pixels, float32; valid (T, 133) bool;
    waveform (S,) mono float32 at 16 kHz with S = 640 T.
    planted: what a procedural corpus knows about itself (e.g. 'stroke_frames'), empty otherwise.
    log_mel (T, M): mel bands of a corpus without recordings, whose waveform is then empty.
    """

    name: str
    speaker: str
    split: str
    keypoints: np.ndarray
    valid: np.ndarray
    waveform: np.ndarray
    planted: dict[str, np.ndarray] = field(default_factory=dict)
    log_mel: np.ndarray | None = None


@dataclass(frozen=True)
class CorpusFacts:
    """What shapes and keys depend on, known from a corpus' index without running anything.

    clips: how many there are by split; heard: the array of a clip that holds its speech, 'waveform' or
    'log_mel'; frames: how many each clip has at 25 Hz, by split, where the index tells.
    """

    speakers: tuple[str, ...]
    clips: dict[str, int]
    fingerprint: str
    heard: str = "waveform"
    frames: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def windows(self, split: str, stride: int = WINDOW_STRIDE_FRAMES, most: int | None = None) -> int | None:
        """Return how many windows a split has, begun every `stride` frames, and at most so many a clip."""
        if not self.frames:
            return None
        counts = (len(range(0, frames - WINDOW_FRAMES, stride)) for frames in self.frames.get(split, ()))
        return sum(count if most is None else min(count, most) for count in counts)


class MotionSource(NamedTuple):
    """Where motion in one space lies: the stage that leaves all clips' frames, and what it calls them.

    Beside them it leaves `valid`, and `mean` and `std` of the training split; generated motion of that space
    has the same name.
    """

    stage: str
    array: str


LANDMARKS = MotionSource("corpus", "motion")
"""Keypoints of a person, in shoulder widths."""
CONTROL_POINTS = MotionSource("latents", "points")
"""Control points of an animator, in half picture widths."""


@dataclass(frozen=True)
class WindowFacts:
    """What is known of windows before they are made: their split, and how many there are, or at most are.

    source: the space of their motion.
    """

    split: Split
    count: int | None
    source: MotionSource = LANDMARKS


@dataclass(frozen=True)
class PointFacts:
    """What is known of control points before they are found: how many of them drive a picture."""

    points: int


@dataclass(frozen=True)
class PictureFacts:
    """What is known of pictures before they are made: their width, and the corpus they are of."""

    size_px: int
    corpus: CorpusFacts


@dataclass(frozen=True)
class ClipSpan:
    """Where one clip lies in the concatenated arrays of a corpus, and how to undo its normalisation."""

    name: str
    speaker: int
    split: str
    start: int
    frames: int
    origin_px: tuple[float, float]
    scale_px: float


@dataclass
class Batch:
    """Windows of a corpus on the training device.

    motion (B, T, K, 2) standardised per coordinate; valid (B, T, K) bool; speech (B, T, F)
    standardised; beats (B, T) bool, onsets of the speech; prefix (B, P, K, 2), the frames before the window,
    or the last of them alone, repeated, as where one picture is known; prefix_valid (B, P, K) bool; speaker
    (B,) long; clip (B,) long; tokens (B, P + N, Q) long a stream, those of the prefix first, where windows
    were tokenised; pauses (B, T) bool, where nobody speaks, if that is known.
    """

    motion: Tensor
    valid: Tensor
    speech: Tensor
    beats: Tensor
    prefix: Tensor
    prefix_valid: Tensor
    speaker: Tensor
    clip: Tensor
    tokens: dict[str, Tensor] = field(default_factory=dict)
    pauses: Tensor | None = None


@dataclass(frozen=True)
class Footage:
    """The pictures of one clip: frames (T, H, H, 3) uint8, resized from square frames `frame_px` wide.

    words: what is said and the frame that it begins at, where the corpus knows.
    """

    name: str
    frames: np.ndarray
    frame_px: float
    words: tuple[tuple[str, int], ...] = ()


@dataclass
class Pairs:
    """Two pictures of the same clip, B times, on the training device.

    source, driving (B, 3, H, W) in [0, 1]; their poses (B, K, 2) in [−1, 1]; valid (B, K) bool.
    """

    source: Tensor
    driving: Tensor
    source_pose: Tensor
    driving_pose: Tensor
    source_valid: Tensor
    driving_valid: Tensor


@dataclass
class PixelBatch:
    """Windows of small pictures with their sound, on the training device.

    video (B, 3, F, H, H), F of a window's frames, and source (B, 3, H, H), the picture before the window, in
    [−1, 1]; sound (B, S) as it was recorded.
    """

    video: Tensor
    source: Tensor
    sound: Tensor


class MotionTokenizer(Protocol):
    """What a generator may ask of a trained tokenizer; motion (B, T, K, 2); tokens (B, N, Q) a stream, and
    latents (B, N, D) a stream: what is decoded, the sum of all layers' codes. What is decoded or merged
    belongs where `anchor` puts it, given the frames before a window; split is what the codecs are told, so
    many coordinates a frame."""

    width: int
    codes: int
    layers: int
    coordinates: int
    members: dict[str, tuple[str, ...]]

    def tokens(self, motion: Tensor) -> dict[str, Tensor]: ...

    def window_tokens(self, batch: Batch) -> dict[str, Tensor]: ...

    def latents(self, motion: Tensor) -> dict[str, Tensor]: ...

    def codebook(self, stream: str, layer: int) -> Tensor: ...

    def decode(self, tokens: dict[str, Tensor]) -> Tensor: ...

    def decode_latents(self, latents: dict[str, Tensor]) -> Tensor: ...

    def split(self, motion: Tensor) -> dict[str, Tensor]: ...

    def merge(self, coordinates: dict[str, Tensor]) -> Tensor: ...

    def anchor(self, decoded: Tensor, known: Tensor) -> Tensor: ...
