"""The schemas of sweep and report files: as the models say, and what every shipped file fits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nursery
import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    kind: json.loads((ROOT / f"docs/schemas/{kind}.schema.json").read_text()) for kind in ("sweep", "report")
}
FILES = [
    pytest.param(kind, path, id=str(path.relative_to(ROOT)))
    for kind in SCHEMAS
    for path in sorted([*ROOT.glob(f"{kind}s/*.yaml"), *ROOT.glob(f"examples/*/{kind}s/*.yaml")])
]


def wrong(kind: str, content: Any) -> list[str]:
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(content)
    ]


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_a_schema_is_what_its_command_writes(kind: str) -> None:
    done = nursery.rgx(["schema", kind], ROOT, {**os.environ, "PYTHONPATH": str(ROOT)})
    written = (ROOT / f"docs/schemas/{kind}.schema.json").read_text()
    assert done.stdout == written, f"rgx schema {kind} > docs/schemas/{kind}.schema.json"
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize(("kind", "path"), FILES)
def test_every_shipped_file_fits_its_schema(kind: str, path: Path) -> None:
    assert not wrong(kind, yaml.safe_load(path.read_text()))


def test_a_slip_is_seen() -> None:
    sweep = yaml.safe_load((ROOT / "examples/digits/sweeps/digits.yaml").read_text())
    assert "'seed' was unexpected" in "".join(wrong("sweep", sweep | {"seed": [0]}))
    assert "is not of type 'integer'" in "".join(wrong("sweep", sweep | {"seeds": ["0"]}))
    report = yaml.safe_load((ROOT / "examples/digits/reports/digits.yaml").read_text())
    bars = {"figures": {"bars": {"kind": "bars", "panel": "loss", "colum": "ece"}}}
    assert "'colum' was unexpected" in "".join(wrong("report", report | bars))
    report["panels"]["loss"]["order"] = "as_swep"
    assert "is not one of ['as_swept', 'ours_last']" in "".join(wrong("report", report))


def test_an_editor_is_told_what_a_word_means() -> None:
    for model in (*SCHEMAS.values(), SCHEMAS["report"]["$defs"]["Panel"]):
        assert not [name for name, field in model["properties"].items() if not field.get("description")]
