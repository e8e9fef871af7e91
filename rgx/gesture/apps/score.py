"""Any system's files to a table: `rgx score` writes a sweep and a report, so that they run like any other."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from rgx.errors import InputError, nearest
from rgx.gesture.data.submissions import Submission
from rgx.gesture.poses.fit import MisfitError, TrackFit
from rgx.gesture.video.files import probe

PANEL = "systems"
COLUMNS = (
    *("fgd", "diversity", "pcm", "bas_gt_relative", "bas_audio_to_motion", "bas_motion_to_audio"),
    *("mismatch", "fgd_sync", "jerk", "log_jerk", "hand_variance"),
)
VIDEO_COLUMNS = tuple(
    f"submission_video_scores/video_{name}"
    for name in ("fvd_lite0", "fid_lite0", "identity_lite0", "sharpness", "flicker")
)
SHOWN = 3
RATE = "submission/fit.track.rate_hz"
NEW: Mapping[str, Path] = MappingProxyType({})
"""No stored judge: each is trained on the recordings."""


@dataclass(frozen=True)
class Systems:
    """Recordings, what systems made for their test clips, and at what rate where not at 25 Hz."""

    real: Path
    made: Mapping[str, Path]
    rates_hz: Mapping[str, float] = field(default_factory=dict)

    @property
    def have_videos(self) -> bool:
        """Whether every system made videos, so that the metrics of videos can be a column."""
        return all(Submission(str(path)).videos() for path in self.made.values())

    def check(self) -> list[str]:
        """Return a line for each system that lacks test clips; raises InputError for one that has none."""
        tests, lines = test_clips(self.real), []
        for name, path in self.made.items():
            keypoints = Submission(str(path)).keypoints()
            absent = [clip for clip in tests if clip not in keypoints]
            if len(absent) == len(tests):
                offered = nearest(tests[0], keypoints) if keypoints else "it has no keypoint files"
                raise InputError(
                    f"{name}: {path} has no file for any test clip, such as '{tests[0]}': {offered}"
                )
            self._check_rate(name, next(clip for clip in tests if clip in keypoints))
            if absent:
                more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
                lines.append(
                    f"{name}: {len(absent)} of {len(tests)} test clips are absent and not scored: "
                    f"{', '.join(absent[:SHOWN])}{more}"
                )
        return lines

    def submission(self, name: str) -> Submission:
        """Return what a system made, at its rate."""
        return Submission(str(self.made[name]), fit=TrackFit(rate_hz=self.rates_hz.get(name, 0.0)))

    def _check_rate(self, name: str, clip: str) -> None:
        """Raise InputError where a clip's motion does not fit its recording, before anything is trained."""
        recording = self.real / "clips" / f"{clip}.mp4"
        if not recording.is_file():
            return  # the corpus names what it lacks
        frames = probe(recording).frames
        try:
            self.submission(name).motion(clip, frames)
        except MisfitError as error:
            binding, _, value = error.binding.rpartition(" = ")
            here = f" (here --rate {name}={value})" if binding.endswith("rate_hz") else ""
            raise InputError(f"{name}: {error}{here}") from None


def parse_rates(pairs: Sequence[str], names: Iterable[str]) -> dict[str, float]:
    """Return frames per second by system from NAME=HZ; raises InputError for anything else."""
    rates: dict[str, float] = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if name not in names:
            raise InputError(f"--rate {pair}: '{name}': {nearest(name, names)}")
        try:
            rates[name] = float(number)
        except ValueError:
            raise InputError(f"--rate {pair}: expected NAME=HZ, such as {name}=30") from None
        if not 1 <= rates[name] <= 1000:
            raise InputError(f"--rate {pair}: expected 1 to 1000 frames per second")
    return rates


def parse(pairs: Sequence[str]) -> dict[str, Path]:
    """Return systems by name from NAME=DIR; raises InputError for anything else or a name given twice."""
    folders: dict[str, Path] = {}
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        if not equals or not folder or not re.fullmatch(r"[^/\\\s][^/\\]*", name):
            raise InputError(f"--generated {pair}: expected NAME=DIR, such as Ours=results/ours")
        if name in folders:
            raise InputError(f"--generated {pair}: '{name}' is given twice")
        folders[name] = Path(folder).expanduser().resolve()
    if not folders:
        raise InputError("--generated NAME=DIR: expected at least one system")
    return folders


def test_clips(real: Path) -> list[str]:
    """Return the names of the test clips of a corpus of videos; raises InputError without any."""
    index = real / "index.csv"
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{index}: unreadable as the index of a corpus: {error}") from None
    tests = [row["clip"] for row in rows if row.get("clip") and row.get("split") == "test"]
    if not tests:
        raise InputError(f"{index}: no clip of split 'test'")
    return tests


def sweep_of(systems: Systems, scale: str | None, judges: Mapping[str, Path] = NEW) -> dict[str, Any]:
    """Return the sweep file that scores systems against recordings; judges: stored ones, by stage."""
    stored = {f"stage.{stage}.stored": str(folder) for stage, folder in judges.items()}
    ends = ["submission_scores", *(["submission_video_scores"] if systems.have_videos else [])]
    return {
        "name": PANEL,
        "config": ["gin/realistic_gesture.gin", "gin/data/videos.gin", "gin/data/submission.gin"],
        **({"scale": scale} if scale else {}),
        "bind": {"corpus.videos.folder": str(systems.real)} | stored,
        "targets": {PANEL: ends},
        "panels": {
            PANEL: {
                name: {"submission": {"folder": {"path": str(path)}}}
                | ({RATE: systems.rates_hz[name]} if name in systems.rates_hz else {})
                for name, path in systems.made.items()
            }
        },
    }


def report_of(systems: Systems) -> dict[str, Any]:
    """Return the report file that shows the systems as one table."""
    columns = [*COLUMNS, *(VIDEO_COLUMNS if systems.have_videos else ())]
    caption = f"Systems against the recordings of {systems.real.name}."
    return {"sweep": f"sweeps/{PANEL}.yaml", "panels": {PANEL: {"caption": caption, "columns": columns}}}


def write_definitions(
    systems: Systems, scale: str | None, out: Path, judges: Mapping[str, Path] = NEW
) -> tuple[Path, Path]:
    """Write `sweeps/systems.yaml` and `reports/systems.yaml`; raises InputError where they cannot be."""
    sweep, report = out / "sweeps" / f"{PANEL}.yaml", out / "reports" / f"{PANEL}.yaml"
    try:
        for path, content in ((sweep, sweep_of(systems, scale, judges)), (report, report_of(systems))):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    return sweep, report
