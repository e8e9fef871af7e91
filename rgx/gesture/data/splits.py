"""Axis split: which intervals of a corpus train, which are chosen by, and which test."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rgx.errors import InputError
from rgx.registry import Outside, Place, register

S2G_IDS = Outside(
    "S2G-Diffusion's split",
    "filtered_intervals.json: lists of ids, 'train' and 'test'",
    "https://github.com/thuhcsi/S2G-MDDiffusion",
    "MIT",
)

S2G_TRAIN, S2G_TEST = 1080, 120
"""Intervals of each speaker in S2G-Diffusion's split: the first by id train, the last test."""


@dataclass(frozen=True)
class Interval:
    """A stretch of a source video with one speaker, as an interval table lists it."""

    name: str
    speaker: str
    video: str
    start_s: float
    end_s: float
    listed: str

    @property
    def number(self) -> int:
        """The digits of the name, which is how other files refer to it."""
        digits = re.sub(r"\D", "", self.name)
        return int(digits) if digits else -1


class Split(ABC):
    """Says for each interval whether it trains, is chosen by or tests; one that it leaves out is in none.

    parts_videos: whether it asks which video an interval is of.
    """

    parts_videos: bool = False

    @abstractmethod
    def assign(self, intervals: Sequence[Interval]) -> dict[str, str]:
        """Return 'train', 'dev' or 'test' by name; raises InputError for a split that cannot be read."""


@register("split", "table", label="As listed", source="PATS: the column `dataset`")
class TableSplit(Split):
    """The split that the interval table itself gives."""

    def assign(self, intervals: Sequence[Interval]) -> dict[str, str]:
        return {i.name: i.listed for i in intervals}


@register("split", "s2g", label="S2G-Diffusion", source="reading 5: 4,320 train and 480 test ids")
class S2GSplit(Split):
    """S2G-Diffusion's ids, with a speaker that can no longer be had replaced by another.

    `file` holds the ids under 'train' and 'test'. Of `replacement`, which it does not list, the first 1,080
    intervals by id train and the next 120 test, as of every other speaker. Of what is left, the table's dev
    is dev: S2G-Diffusion has none.
    """

    def __init__(
        self,
        file: Annotated[Place, S2G_IDS] = "data/pats/filtered_intervals.json",
        replacement: str = "noah",
    ) -> None:
        self.file, self.replacement = Path(file), replacement

    def fingerprint(self) -> str:
        """Return what the file says; raises InputError for one that is no such split."""
        return repr(sorted(self._read().items()))

    def assign(self, intervals: Sequence[Interval]) -> dict[str, str]:
        listed = self._read()
        ours = sorted((i for i in intervals if i.speaker == self.replacement), key=lambda i: i.number)
        train = ours[:S2G_TRAIN] if len(ours) >= S2G_TRAIN + S2G_TEST else ours[: len(ours) * 9 // 10]
        test = ours[len(train) : S2G_TRAIN + S2G_TEST]
        chosen = {i.name: "train" for i in train} | {i.name: "test" for i in test}
        others = (i for i in intervals if i.speaker != self.replacement and i.number in listed)
        chosen |= {i.name: listed[i.number] for i in others}
        return {i.name: "dev" for i in intervals if i.listed == "dev"} | chosen

    def _read(self) -> dict[int, str]:
        try:
            lists = json.loads(self.file.read_text(encoding="utf-8"))
            ids = {int(i): name for name in ("train", "test") for i in lists[name]}
            both = set(map(int, lists["train"])) & set(map(int, lists["test"]))
        except OSError as error:
            raise InputError(f"split.s2g.file: {self.file} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"split.s2g.file: {self.file}: expected JSON with lists of numbers 'train' and 'test'"
            ) from None
        if both:
            raise InputError(f"split.s2g.file: {self.file}: {min(both)} is in both 'train' and 'test'")
        return ids


class Shared(Split):
    """A share of something tests, and the next is dev where half is left to train.

    Chosen by a hash, so that it stays when the corpus grows; what is dev decides nothing of what tests.
    """

    def __init__(self, test_share: float = 0.1, dev_share: float = 0.1) -> None:
        if not 0 < test_share < 1:
            raise InputError(f"test_share = {test_share}: expected more than 0 and less than 1")
        if not 0 <= dev_share < 1:
            raise InputError(f"dev_share = {dev_share}: expected 0 or more and less than 1")
        self.test_share, self.dev_share = test_share, dev_share

    @abstractmethod
    def together(self, interval: Interval) -> str:
        """Return what an interval may not be parted from."""

    def assign(self, intervals: Sequence[Interval]) -> dict[str, str]:
        groups: dict[str, set[str]] = defaultdict(set)
        for interval in intervals:
            groups[interval.speaker].add(self.together(interval))
        splits: dict[tuple[str, str], str] = {}
        for speaker, members in groups.items():
            tests, devs = self._counts(len(members))
            names = ["test"] * tests + ["dev"] * devs
            first = sorted(members, key=_draw)[: len(names)]
            splits |= {(speaker, group): name for group, name in zip(first, names, strict=True)}
        return {i.name: splits.get((i.speaker, self.together(i)), "train") for i in intervals}

    def _counts(self, members: int) -> tuple[int, int]:
        """Return how many of a speaker's groups test and are dev."""
        if members < 2:
            return 0, 0
        tests = max(1, round(self.test_share * members))
        wanted = max(1, round(self.dev_share * members)) if self.dev_share else 0
        return tests, max(0, min(wanted, members // 2 - tests))


@register("split", "by_video", label="By video")
class VideoSplit(Shared):
    """A share of each speaker's source videos tests, so that no test interval's video trains."""

    parts_videos = True

    def together(self, interval: Interval) -> str:
        return interval.video


@register("split", "random", label="Random")
class RandomSplit(Shared):
    """A share of each speaker's intervals tests, wherever they come from: neighbours may train."""

    def together(self, interval: Interval) -> str:
        return interval.name


def leaks(
    intervals: Sequence[Interval], assigned: dict[str, str], of: str = "test", seen: str = "train"
) -> dict[str, str]:
    """Return the source video of each interval of one split of which another stretch is in the other."""
    known = {i.video for i in intervals if assigned.get(i.name) == seen}
    return {i.name: i.video for i in intervals if assigned.get(i.name) == of and i.video in known}


def leaks_by_split(intervals: Sequence[Interval], assigned: dict[str, str]) -> dict[str, float]:
    """Return how many intervals are of a video that an earlier split has too; of dev, where there is one."""
    pairs = [("test", "train")]
    if "dev" in assigned.values():
        pairs += [("dev", "train"), ("test", "dev")]
    return {f"{of}_clips_of_{seen}_videos": len(leaks(intervals, assigned, of, seen)) for of, seen in pairs}


def _draw(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()
