"""The quality page: every clip with its skeleton, every stretch left out with its reason, in one file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from rgx.gesture.prepare.clips import file_of
from rgx.gesture.prepare.crop import Square
from rgx.gesture.prepare.index import write_text
from rgx.gesture.prepare.recordings import Recording
from rgx.gesture.prepare.signal import judged_by
from rgx.gesture.prepare.tracks import PARTS
from rgx.gesture.types import FPS

PAGE = "quality.html"
LITTLE = 0.3
"""A share of valid points below this is marked."""

TEMPLATE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quality of {{ folder }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-top: 1px solid #bbb; padding-top: .6rem; overflow-wrap: anywhere }
img { width: 100%; display: block; background: #222 }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
.low { color: #b00020; font-weight: 600 } .quiet { color: #666 }
figure { margin: 1rem 0 } figcaption { margin-bottom: .2rem }
</style></head><body>
<h1>Quality of {{ folder }}</h1>
<p>{{ clips }} clips, {{ seconds | round(1) }} s, of {{ sources | length }} sources; {{ left_out | length }}
sources left out{% if failed %}, {{ failed | length }} failed{% endif %}.</p>
{% for note in notes %}<p>{{ note }}</p>
{% endfor %}
{% for title, reasons in (("Failed", failed), ("Left out", left_out)) if reasons %}
<h2>{{ title }}</h2><table>
{% for name, reason in reasons.items() %}<tr><td>{{ name }}</td><td>{{ reason }}</td></tr>
{% endfor %}</table>
{% endfor %}
{% for source in sources %}
<h2>{{ source.name }}</h2>
<p class="quiet">{{ source.facts }}</p>
{% for clip in source.clips %}
<figure><figcaption><b>{{ clip.clip }}</b> · {{ clip.split }} · {{ clip.speaker }} ·
{{ "%.2f" | format(clip.start_s) }}–{{ "%.2f" | format(clip.end_s) }} s · points found:
{% for part in parts %}<span{% if clip[part] < little %} class="low"{% endif %}>
{{ part | replace("_", " ") }} {{ (100 * clip[part]) | round | int }} %</span>{{ ", " if not loop.last }}
{% endfor %} · <span{% if clip.level_db < source.quiet_db %} class="low"{% endif %}>sound at
{{ clip.level_db | round | int }} dB</span>
{%- if clip.padded %} · <span class="low">the square reaches beyond the picture: its edge is
repeated</span>{% endif %}</figcaption>
<img alt="{{ clip.clip }}" src="data:image/jpeg;base64,{{ clip.sheet }}"></figure>
{% else %}<p class="low">No clip.</p>
{% endfor %}
{% if source.left_out %}<table><tr><th>Left out</th><th>Reason</th></tr>
{% for span, reason in source.left_out %}<tr><td>{{ span }}</td><td>{{ reason }}</td></tr>
{% endfor %}</table>{% endif %}
{% endfor %}
</body></html>
"""


class Reasons(NamedTuple):
    """What was noted of a run as a whole, and why sources were left out or failed."""

    notes: list[str]
    left_out: dict[str, str]
    failed: dict[str, str]


def write_page(out: Path, sources: list[Recording], rows: list[dict[str, Any]], reasons: Reasons) -> None:
    """Write the page of a corpus; what comes from file names is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    looked = [source for source in sources if source.analysis and not source.analysis["refused"]]
    text = environment.from_string(TEMPLATE).render(
        folder=out.resolve().name,
        clips=len(rows),
        seconds=sum(row["end_s"] - row["start_s"] for row in rows),
        notes=[*reasons.notes, *_notes(looked, rows)],
        parts=list(PARTS),
        little=LITTLE,
        left_out=reasons.left_out,
        failed=reasons.failed,
        sources=[_section(out, source, rows) for source in looked],
    )
    write_text(out / PAGE, text)


def _notes(sources: list[Recording], rows: list[dict[str, Any]]) -> list[str]:
    """Return what holds for the corpus as a whole."""
    notes = []
    for name in sorted({_poses(source) for source in sources if (source.analysis or {})["people"] == 1}):
        notes.append(
            f"{name} finds at most one person in a picture: other people in view cannot be told, look for "
            "them in the sheets."
        )
    notes += _split_notes(sources, rows)
    train = {row["speaker"] for row in rows if row["split"] == "train"}
    if unheard := sorted({row["speaker"] for row in rows} - train):
        notes.append(f"Not in train: {', '.join(unheard)}.")
    there = {row["split"] for row in rows}
    if rows and "train" not in there:
        notes.append("There is no train clip: `corpus.videos` needs one, add a recording.")
    elif rows and "test" not in there:
        notes.append("There is too little for a test clip: `corpus.videos` needs one, add a recording.")
    elif rows and "dev" not in there:
        notes.append("There is no dev clip: a search, which chooses by dev, needs one, add a recording.")
    return notes


def _split_notes(sources: list[Recording], rows: list[dict[str, Any]]) -> list[str]:
    """Return how train, dev and test were told apart."""
    notes, own = list[str](), [row for row in rows if not row["interval"]]
    if listed := [row for row in rows if row["interval"]]:
        count = sum(len(source.intervals) for source in sources)
        covered = len({row["interval"] for row in listed})
        notes.append(f"Cut and split by a table: {covered} of its {count} intervals here have a clip.")
        trained = {row["video"] for row in listed if row["split"] == "train"}
        for split in ("test", "dev"):
            leaky = {row["interval"] for row in listed if row["split"] == split and row["video"] in trained}
            if leaky:
                notes.append(f"{len(leaky)} {split} intervals are of videos that also train.")
    if len({row["source"] for row in rows}) == 1 and own:
        notes.append(
            "One source: it is split by time, its end is test, and dev lies before it where half is left to "
            "train; a window's length before each is left out, so that no windows of two splits overlap."
        )
    elif own:
        notes.append("Split by source: no source has clips in two splits.")
    return notes


def _poses(source: Recording) -> str:
    return str((source.analysis or {})["identity"]["poses"]["variant"])


def _section(out: Path, source: Recording, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the page says of one source."""
    analysis = source.analysis or {}
    levels = {clip["name"]: clip["level_db"] for clip in source.made}
    squares = {clip["name"]: Square(*clip["square"]) for clip in source.made}
    clips = [
        {
            **row,
            "level_db": levels[row["clip"]],
            "padded": squares[row["clip"]].beyond(*analysis["size_px"]),
            "sheet": base64.b64encode(file_of(out, row["clip"], ".jpg").read_bytes()).decode(),
        }
        for row in rows
        if row["clip"] in squares
    ]
    return {
        "name": source.name,
        "quiet_db": judged_by(analysis["identity"]).quiet_db,
        "facts": _facts(source, analysis),
        "clips": clips,
        "left_out": _left_out(source),
    }


def _facts(source: Recording, analysis: dict[str, Any]) -> str:
    facts, (width, height) = analysis["facts"], analysis["size_px"]
    cuts = ", ".join(f"{cut / FPS:.2f}" for cut in analysis["cuts"])
    parts = [
        f"{width}×{height} px, {facts['rate_hz']:.3f} pictures a second, {facts['seconds']:.2f} s",
        f"sound from {facts['sound_from_s']:.2f} to {facts['sound_to_s']:.2f} s",
        f"cuts at {cuts} s" if cuts else "no cuts",
        _poses(source),
        *facts["notes"],
    ]
    return "; ".join(parts)


def _left_out(source: Recording) -> list[tuple[str, str]]:
    """Return the spans of a source that are in no clip, with reasons."""
    stretches = (source.analysis or {})["stretches"]
    reasons = [(s["first"], s["last"], s["reason"]) for s in stretches if s["reason"]]
    written = (source.clips or {"made": []})["made"]
    reasons += [(clip["first"], clip["last"], clip["reason"]) for clip in written if clip["reason"]]
    spans = [(clip["first"], clip["last"]) for clip in written]
    for stretch in stretches:
        if not stretch["reason"]:
            reasons += [(*gap, "kept apart from test") for gap in _gaps(stretch, spans)]
    return [(f"{a / FPS:.2f}–{b / FPS:.2f} s", reason) for a, b, reason in sorted(reasons)]


def _gaps(stretch: dict[str, Any], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of a usable stretch that no clip holds."""
    inside = sorted(span for span in spans if stretch["first"] <= span[0] < stretch["last"])
    edges = [stretch["first"], *(edge for span in inside for edge in span), stretch["last"]]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
