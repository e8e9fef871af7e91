"""A study made: a folder with videos and pages for raters, and the key that says what they were shown."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.store.artifacts import checksum, read_object
from rgx.study.conditions import Located, locate, scenes_of
from rgx.study.power import power_lines
from rgx.study.rater_page import check_languages, inlined, page_of, session_data
from rgx.study.reported_numbers import read_reported
from rgx.study.sessions import Item, items_of, plan_sessions
from rgx.study.stimuli import Studio, stimuli_of
from rgx.study.study_file import StudyFile, read_study

KEY, VIDEOS, PAGES, ANSWERS, LINKS = "key.json", "videos", "pages", "answers", "links.csv"
DATABASE = "answers.sqlite"
FORMAT = 1
TOKEN_BYTES, ID_BYTES = 12, 6


@dataclass(frozen=True)
class Kit:
    """A study's folder, as its key tells it."""

    folder: Path
    key: Mapping[str, Any]

    @cached_property
    def study(self) -> StudyFile:
        """Return the study's file as it was when the study was made."""
        return StudyFile.model_validate(self.key["study"])

    @cached_property
    def items(self) -> dict[str, dict[str, Item]]:
        """Return each session's items by token and id."""
        return {
            token: {
                entry["id"]: Item(**{**entry["item"], "wanted": _pair(entry["item"]["wanted"])})
                for entry in session["items"]
            }
            for token, session in self.key["sessions"].items()
        }


def open_kit(folder: Path) -> Kit:
    """Return a study that was made; raises InputError for a folder without a whole key."""
    key = read_object(folder / KEY)
    if key is None or key.get("format") != FORMAT:
        raise InputError(
            f"{folder}: no study is here, or its {KEY} is not whole; make one with `rgx study make`"
        )
    return Kit(folder, key)


def make_kit(file: Path, store: Path, out: Path, report: Callable[[str], None]) -> Kit:
    """Make a study's folder, whole or not at all; report is told what was done, a line each.

    Raises InputError where the file, a condition or a video does not fit, and where `out` is taken.
    """
    out = out.expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: there is something already; a study is made into a new folder")
    study, source = read_study(file)
    check_languages(study)
    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        (draft / VIDEOS).mkdir(parents=True)
        published = read_reported(study, source)
        located = locate(study, source, store, draft / "references")
        scenes = scenes_of(study, source, located)
        for line in power_lines(study, items_of(study, len(scenes))):
            report(line)
        salt = secrets.token_hex(16)
        sessions = plan_sessions(study, scenes)
        studio = Studio(study, located, scenes)
        wanted = {stimulus for items in sessions for item in items for stimulus in stimuli_of(item, study)}
        for number, _ in enumerate(studio.render(wanted, draft / VIDEOS, salt), 1):
            if number == len(wanted) or number % 50 == 0:
                report(f"{number} of {len(wanted)} videos")
        key = _key(study, file, located, scenes, salt)
        shutil.rmtree(draft / "references", ignore_errors=True)
        key |= {"partners": studio.partners, "published": published}
        key["sessions"] = {
            secrets.token_urlsafe(TOKEN_BYTES): _session(study, items, salt) for items in sessions
        }
        key["videos"] = {path.name: checksum(path) for path in sorted((draft / VIDEOS).iterdir())}
        _write(draft, study, key)
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Kit(out, key)


def _key(
    study: StudyFile, file: Path, located: Mapping[str, Located], scenes: list[str], salt: str
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "study": study.model_dump(mode="json"),
        "file": {"name": file.name, "sha256": checksum(file)},
        "scenes": scenes,
        "salt": salt,
        "conditions": {
            name: {"sweep": own.sweep, "row": own.row, "seed": own.seed, "stages": dict(own.stages),
                   "videos": {scene: checksum(path) for scene, path in own.videos.items() if scene in scenes}}
            for name, own in located.items()
        },
    }  # fmt: skip


def _session(study: StudyFile, items: list[Item], salt: str) -> dict[str, Any]:
    return {
        "secret": secrets.token_hex(16),
        "items": [
            {
                "id": secrets.token_hex(ID_BYTES),
                "item": asdict(item),
                "videos": [stimulus.file(salt) for stimulus in stimuli_of(item, study)],
            }
            for item in items
        ],
    }


def _write(folder: Path, study: StudyFile, key: Mapping[str, Any]) -> None:
    """Write the pages, the links and, readable by its owner only, the key."""
    (folder / PAGES).mkdir()
    (folder / ANSWERS).mkdir()
    links = io.StringIO()
    writer = csv.writer(links, lineterminator="\n")
    writer.writerow(["rater", "page", "path"])
    for number, (token, session) in enumerate(key["sessions"].items(), 1):
        page = f"{number:03d}.html"
        data = session_data(study, token, shown_items(session), inlined(folder / VIDEOS))
        text = page_of(data | {"secret": session["secret"]})
        (folder / PAGES / page).write_text(text, encoding="utf-8")
        writer.writerow([number, f"{PAGES}/{page}", f"/s/{token}"])
    (folder / LINKS).write_text(links.getvalue(), encoding="utf-8")
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_text(json.dumps(key, indent=1, ensure_ascii=False), encoding="utf-8")


def shown_items(session: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a page may know of a session's items, of the key's entries."""
    return [
        {"id": e["id"], "question": e["item"]["question"], "role": e["item"]["role"], "videos": e["videos"]}
        for e in session["items"]
    ]


def _pair(wanted: Any) -> tuple[int, int] | None:
    return (int(wanted[0]), int(wanted[1])) if wanted else None


def digest_of(kit: Kit) -> str:
    """Return the SHA-256 of a study's key: what its ratings are ratings of."""
    return hashlib.sha256((kit.folder / KEY).read_bytes()).hexdigest()
