"""Axis signal: from when on the sound and the pictures of a recording are told of, mended or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rgx.errors import InputError
from rgx.registry import register


@register("signal", "usual", label="Judgement of recordings", source="ours")
class Signal:
    """The thresholds by which `rgx prepare` judges recordings; full scale is 0 dB.

    quiet_db: the level below which sound is called quiet. clipped: the share of samples at full scale from
    which it is called clipped. opposed: the correlation of two channels below which they cancel each other.
    voiced: the share of time with a voice below which a track is chosen by its level alone, and told of.
    silent_db: the level below which a clip is left out. hole_s: how long no new picture comes where a clip
    is cut. bridged_frames: shorter losses of the one speaker do not end a clip; as many as
    `corpus.videos.longest_gap_frames` interpolates. Source: ours.
    """

    def __init__(
        self,
        quiet_db: float = -45.0,
        clipped: float = 1e-3,
        opposed: float = -0.5,
        voiced: float = 0.02,
        silent_db: float = -60.0,
        hole_s: float = 0.24,
        bridged_frames: int = 5,
    ) -> None:
        ranges = {"quiet_db": (quiet_db, -120, 0), "silent_db": (silent_db, -120, 0)}
        ranges |= {"clipped": (clipped, 0, 1), "voiced": (voiced, 0, 1), "opposed": (opposed, -1, 1)}
        for name, (value, least, most) in ranges.items():
            if not least <= value <= most:
                raise InputError(f"signal.usual.{name} = {value}: expected {least} to {most}")
        for name, length in (("hole_s", hole_s), ("bridged_frames", bridged_frames)):
            if length < 0:
                raise InputError(f"signal.usual.{name} = {length}: expected 0 or more")
        self.quiet_db, self.clipped, self.opposed, self.voiced = quiet_db, clipped, opposed, voiced
        self.silent_db, self.hole_s, self.bridged_frames = silent_db, hole_s, bridged_frames


USUAL = Signal()


def judged_by(identity: Mapping[str, Any]) -> Signal:
    """Return the thresholds in the identity of a look; the usual ones where none could be bound yet."""
    record = identity.get("signal", {})
    return Signal(**{name: value for name, value in record.items() if name in vars(USUAL)})
