"""A hand-written store with all that a report's page shows: seeds, a hole, strips, videos, awkward names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from keyed import digest, manifest_of
from PIL import Image

FGD = {"label": "FGD", "direction": "down", "unit": "", "decimals": 2, "protocol": "speech-driven"}
METRICS = {
    "fgd": FGD | {"stand_in": True},
    "diversity": FGD | {"label": "Div.", "direction": "reference", "unit": "px"},
    "pcm": FGD | {"label": "PCM", "direction": "up", "decimals": 3},
}
AWKWARD = "<script>alert('label')</script>"
SHARED = "# gin/shared.gin\nCORPUS = @corpus.puppets()\n"
ROWS = ["base_line", "+RVQ", "+distill", "w/o res", AWKWARD]
HOLE, OURS = "w/o res", "+distill"
FILMED = ["base_line", "+distill"]
FIGURES = {"bars": {"kind": "bars", "panel": "3b", "caption": "Bars."}}
SECONDS = 1_795_526_684.5


def scores(row: str, seed: int, rows: list[str]) -> dict[str, float]:
    """Return numbers that differ by row and seed, whose order as text is not their order."""
    place = rows.index(row)
    return {
        "fgd": (7 * place + 5) % 11 * 1.75 + 0.125 * seed * (place + 1),
        "diversity": 13.0 - 4.5 * place + 0.25 * seed,
        "pcm": 0.4 + (3 * place % 7) / 10 + 0.001 * seed,
    }


def put(store: Path, stage: str, key: str, **manifest: Any) -> Path:
    """Write a manifest and a log; returns the artifact's folder."""
    folder = store / stage / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("made\n")
    content = manifest_of(stage, key) | {
        "seconds": 2.0, "started": SECONDS, "host": "a <b>host</b>",
        "software": {"commit": "1ec0712da2e83dc7861f", "python": "3.11.7", "torch": "2.13.0"},
        "files": {"log.txt": {"bytes": 5, "sha256": ""}},
    } | manifest  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def film(path: Path) -> None:
    """Write what is enough of a video for a page that is not shown."""
    path.write_bytes(path.name.encode())


def report(root: Path, panel: Mapping[str, Any], figures: Mapping[str, Any]) -> Path:
    """Write the report file of a panel `3b`."""
    path = root / "reports" / "made.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "sweep": "sweeps/made.yaml",
        "panels": {
            "3b": {
                "caption": "Motion & <i>more</i>.",
                "columns": list(METRICS),
                "ours": OURS,
                "components": {"+RVQ": ["RVQ"], OURS: ["RVQ", "parts"]},
                "labels": {"base_line": "baseline"},
                "published": {"base_line": {"fgd": 262.675, "pcm": 0.279}, OURS: {"fgd": 1.3}},
                "note": "Not https://example.org/ but “this”.",
                "pictures": "video",
            }
            | panel
        },
        "figures": dict(figures),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def make(
    root: Path,
    rows: list[str] = ROWS,
    seeds: int = 3,
    panel: Mapping[str, Any] | None = None,
    write: Callable[[Path], None] = film,
    chain: int = 0,
    figures: Mapping[str, Any] | None = None,
) -> tuple[Path, Path]:
    """Write a store and its report; returns both. chain: further stages between tokenizer and scores."""
    store, cells = root / "store", []
    corpus = digest("corpus", {}, "f" * 64)
    folder = put(store, "corpus", corpus, gin=SHARED)
    spans = [{"name": f"clip_{n}", "start": 100 * n, "frames": 100} for n in range(3)]
    (folder / "about.json").write_text(json.dumps({"spans": spans}))
    for row in rows:
        for seed in range(seeds):
            gin = f"{SHARED}\nROW = {row!r}\n"
            middle = {f"stage_{n}": digest(f"{n}{row}{seed}", {"corpus": corpus}) for n in range(chain)}
            tokenizer = digest(f"tokenizer{row}{seed}", {"corpus": corpus})
            scored = digest(f"motion_scores{row}{seed}", {"tokenizer": tokenizer})
            keys = {"tokenizer": tokenizer, "motion_scores": scored}
            put(store, "tokenizer", tokenizer, gin=gin)
            for name, key in middle.items():
                put(store, name, key, gin=gin)
            if row != HOLE:
                outputs = {
                    "scores": scores(row, seed, rows), "metrics": METRICS,
                    "references": {"diversity": 14.0, "fgd": 0.25},
                }  # fmt: skip
                put(store, "motion_scores", scored, outputs=outputs, gin=gin)
            stages = {"corpus": corpus, **middle, **keys, "judge": digest("judge")}
            if row in FILMED:
                stages["video"] = digest(f"video{row}{seed}", {"corpus": corpus})
                shoot(store, stages["video"], gin, write)
            cells.append({"panel": "3b", "row": row, "seed": seed, "stages": stages})
    (store / "sweeps").mkdir(parents=True, exist_ok=True)
    record = {"name": "made", "seeds": list(range(seeds)), "rows": cells}
    (store / "sweeps" / "made.json").write_text(json.dumps(record))
    return report(root, panel or {}, figures or {}), store


def shoot(store: Path, key: str, gin: str, write: Callable[[Path], None]) -> None:
    """Leave three comparisons, a video of its own, a strip, and files whose names lead elsewhere."""
    names = ["0000.mp4", *(f"000{n}_beside.mp4" for n in range(3))]
    wrong = ["..\\outside_beside.mp4", ".hidden_beside.mp4"]
    files = {name: {"bytes": 1, "sha256": ""} for name in ["log.txt", *names, *wrong]}
    folder = put(store, "video", key, gin=gin, files=files)
    for name in names:
        write(folder / name)
    (folder / "about.json").write_text(json.dumps({"starts": [101, 250, 299]}))
    Image.new("RGB", (64, 32), "teal").save(folder / "strip.png")
