"""The framework knows no method: none of its files has a word of the shipped one's subject, or names it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORK = sorted(
    path
    for path in (ROOT / "rgx").rglob("*")
    if path.suffix in {".py", ".html", ".js", ".css"} and "gesture" not in path.relative_to(ROOT).parts
)
SUBJECT = (
    *("motion", "judge", "speech", "speaker", "audio", "gesture", "corpus", "corpora", "pose", "puppet"),
    *("skeleton", "keypoint", "real", "window", "clip", "fgd", "tokenizer", "quantizer", "animator"),
    "refiner",
)
ALLOWED = (
    'SHIPPED = "rgx.gesture"',
    'FORMER_DIRECTIONS = {"real": "reference"}',
    *("clip_grad_norm_", "clip_norm", "clip-path", "prefers-reduced-motion", "window.", "ITIMER_REAL"),
)
"""The shipped method named, what its older manifests say, and names of PyTorch, CSS, browsers and timers."""
WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(SUBJECT)})s?(?![a-z])", re.IGNORECASE)


def words_of_the_subject(text: str) -> list[tuple[int, str]]:
    """Return line and word of each word of the subject in a text, names with underscores included."""
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    return [(number, word) for number, line in enumerate(text.splitlines(), 1) for word in WORD.findall(line)]


def test_a_word_is_found_wherever_it_stands() -> None:
    text = "real = 1\nmotion_scores\n# The judges' key\nrealise, reality, eclipse, purpose, windowed\nSpeech"
    assert words_of_the_subject(text) == [(1, "real"), (2, "motion"), (3, "judges"), (5, "Speech")]
    assert not words_of_the_subject('SHIPPED = "rgx.gesture"\nwindow.addEventListener\nclip_grad_norm_(x)')


def test_no_file_of_the_framework_speaks_of_the_shipped_methods_subject() -> None:
    assert len(FRAMEWORK) > 100
    said = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in FRAMEWORK
        for line, word in words_of_the_subject(path.read_text(encoding="utf-8"))
    ]
    assert not said, "\n".join(said)


def test_the_shipped_method_is_named_once() -> None:
    named = [p for p in FRAMEWORK if "rgx.gesture" in p.read_text(encoding="utf-8")]
    assert named == [ROOT / "rgx" / "project.py"]
