"""Raters who answer a study that was made, as its page would have them: files, or what is posted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rgx.study.kit import Kit
from rgx.study.sessions import Item

LIKED = {"Recorded": 4.6, "Alpha": 2.4, "Beta": 3.6, "Still": 1.6, "Mixed": 2.0}


def answer(name: str, value: object, seconds: float = 2, videos: int = 1, number: int = 0) -> dict[str, Any]:
    """Return an answer with the log of who watched to the end."""
    events = [{"at_ms": 1000 * (n + 1), "what": "end", "video": n} for n in range(videos)]
    events.append({"at_ms": 1000 * videos + int(1000 * seconds), "what": "next"})
    at = f"2026-11-30T12:{number // 60:02d}:{number % 60:02d}Z"
    return {"item": name, "value": value, "language": "en", "events": events, "at": at}


def opinion(item: Item, random: np.random.Generator, liked: Mapping[str, float]) -> object:
    """Return what an attentive rater says."""
    if item.other:
        better = item.other == "mismatched" or liked[item.condition] >= liked.get(item.other, 0)
        sure = random.random() < 0.85
        return "first" if (better == sure) != item.swapped else "second"
    if item.role == "trap" and item.wanted:
        return item.wanted[0]
    return int(np.clip(np.rint(liked[item.condition] + random.normal(0, 0.7)), 1, 5))


def answers_of(kit: Kit, token: str, seed: int, kind: str = "attentive") -> list[dict[str, Any]]:
    """Return a session's answers; kind: attentive, straight, fast or random."""
    random = np.random.default_rng(seed)
    own = []
    for number, (name, item) in enumerate(kit.items[token].items()):
        value = opinion(item, random, LIKED)
        if kind == "random" and not item.other:
            value = int(random.integers(1, 6))
        if kind == "straight" and not item.other and item.role != "trap":
            value = 3
        seconds = 0.1 if kind == "fast" else 2.0
        own.append(answer(name, value, seconds, 2 if item.other else 1, number))
    return own


def save(kit: Kit, token: str, answers: list[dict[str, Any]], name: str) -> Path:
    """Write answers as the page's download does."""
    body = json.dumps({"study": kit.study.name, "token": token, "answers": answers})
    seal = hashlib.sha256((kit.key["sessions"][token]["secret"] + body).encode()).hexdigest()
    path = kit.folder / "answers" / name
    path.write_text(json.dumps({"body": body, "seal": seal}))
    return path
