"""What is heard in each sound track of a file: which holds the speech, how loud, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import webrtcvad

from rgx.gesture.prepare.signal import USUAL, Signal
from rgx.gesture.prepare.streams import unreadable
from rgx.gesture.types import SAMPLE_RATE_HZ

VOICE_STRICTNESS = 2
"""Of WebRTC's detector, 0 to 3: how sure it is before it calls 30 ms voice."""
SLICE = 30 * SAMPLE_RATE_HZ // 1000
FULL, FLOOR_DB = 0.999, -120.0


class Heard(NamedTuple):
    """One sound track, counted from 0: how long it is, its level and voice, and what is wrong with it.

    voiced: the share of 30 ms that hold voice; voiced_db: the level of these, low
    tones weakened by a difference in time, since a hum may pass for voice; clipped: the share of samples
    at full scale; correlation: of its first two channels, 1 where it has one.
    """

    track: int
    samples: int
    level_db: float
    voiced: float
    voiced_db: float
    clipped: float
    correlation: float

    def __str__(self) -> str:
        return f"track {self.track + 1} ({self.level_db:.0f} dB, voice in {self.voiced:.0%})"


class _Listener:
    """Adds up what a track holds, in pieces."""

    def __init__(self) -> None:
        self.resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE_HZ)
        self.detector = webrtcvad.Vad(VOICE_STRICTNESS)
        self.samples, self.clipped, self.slices, self.voiced = 0, 0, 0, 0
        self.energy, self.voiced_energy = 0.0, 0.0
        self.products = np.zeros(3)
        self.rest = np.zeros(0, np.float32)

    def hear(self, frame: av.AudioFrame | None) -> None:
        for out in self.resampler.resample(frame):
            sound = out.to_ndarray()
            self.samples += sound.shape[1]
            self.clipped += int((np.abs(sound) >= FULL).any(axis=0).sum())
            left, right = sound[0].astype(np.float64), sound[min(1, len(sound) - 1)].astype(np.float64)
            self.products += left @ left, right @ right, left @ right
            # The louder channel: a sum may cancel, and a voice may be in one of them only.
            loudest = sound[int((sound.astype(np.float64) ** 2).sum(axis=1).argmax())]
            self.energy += float((loudest.astype(np.float64) ** 2).sum())
            self._detect(loudest)

    def _detect(self, sound: np.ndarray) -> None:
        sound = np.concatenate([self.rest, sound])
        whole = len(sound) // SLICE * SLICE
        self.rest = sound[whole:]
        for piece in sound[:whole].reshape(-1, SLICE):
            self.slices += 1
            pcm = (piece.clip(-1, 1) * 32767).astype("<i2").tobytes()
            if self.detector.is_speech(pcm, SAMPLE_RATE_HZ):
                self.voiced += 1
                self.voiced_energy += float((np.diff(piece.astype(np.float64)) ** 2).sum())

    def heard(self, track: int) -> Heard:
        left, right, both = self.products
        scale = float(np.sqrt(left * right))
        return Heard(
            track,
            self.samples,
            _decibels(self.energy, self.samples),
            self.voiced / max(self.slices, 1),
            _decibels(self.voiced_energy, self.voiced * SLICE),
            self.clipped / max(self.samples, 1),
            float(both) / scale if scale > 0 else 1.0,
        )


def listen(path: Path) -> list[Heard]:
    """Return what is heard in each sound track of a file that can be decoded, in one pass, a piece at a time.

    Raises RefusedError for a file that cannot be read.
    """
    with unreadable(path), av.open(str(path)) as container:
        streams = container.streams.audio
        listeners = {stream.index: _Listener() for stream in streams}
        for packet in container.demux(streams) if streams else ():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                _hear(listeners, packet.stream.index, frame)
        for listener in listeners.values():
            if listener.samples:
                listener.hear(None)
        heard = [listeners[stream.index].heard(track) for track, stream in enumerate(streams)]
    return [track for track in heard if track.samples]


def _hear(listeners: dict[int, _Listener], index: int, frame: av.AudioFrame) -> None:
    try:
        listeners[index].hear(frame)
    except ValueError:  # the format changes midway: what came before is judged on
        listeners[index].resampler = _Listener().resampler
        listeners[index].hear(frame)


def speech_track(tracks: Sequence[Heard], signal: Signal = USUAL) -> Heard:
    """Return the track that holds the speech: the one of the loudest voice, without any the loudest."""
    return max(tracks, key=lambda t: (t.voiced_db if t.voiced >= signal.voiced else FLOOR_DB, t.level_db))


def cancels(track: Heard, signal: Signal = USUAL) -> bool:
    """Return whether the sum of a track's channels is silence, or nearly: one of them was turned over."""
    return track.correlation < signal.opposed


def remarks(tracks: Sequence[Heard], chosen: Heard, signal: Signal = USUAL) -> list[str]:
    """Return what a reader of the quality page should know of the sound."""
    notes = []
    if len(tracks) > 1:
        others = ", ".join(str(track) for track in tracks if track is not chosen)
        notes.append(f"{len(tracks)} sound tracks: {chosen} is taken, not {others}")
    if chosen.level_db < signal.quiet_db:
        notes.append(f"quiet: the sound is at {chosen.level_db:.0f} dB of full scale")
    if chosen.clipped > signal.clipped:
        notes.append(f"clipped: {chosen.clipped:.1%} of the samples are at full scale")
    if cancels(chosen, signal):
        notes.append("its channels cancel each other: the left one is taken alone")
    if chosen.voiced < signal.voiced:
        notes.append(f"hardly any voice: in {chosen.voiced:.0%} of the time")
    return notes


def level_db(waveform: np.ndarray) -> float:
    """Return the level of a waveform (S,) in dB of full scale, −120 for silence."""
    return _decibels(float(waveform.astype(np.float64) @ waveform), len(waveform))


def _decibels(energy: float, samples: int) -> float:
    return max(FLOOR_DB, 10 * float(np.log10(energy / samples))) if samples and energy > 0 else FLOOR_DB
