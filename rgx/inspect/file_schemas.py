"""JSON Schemas of the files a person writes, for editors that complete and check them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rgx.methods import import_method, methods_at_hand
from rgx.registry import REPORT_ROOMS, import_own, variants
from rgx.report.definition import Report
from rgx.report.figures.base import Figure
from rgx.report.panel import ORDERS
from rgx.report.published import Reference
from rgx.report.significance import TESTS
from rgx.sweep.search.searchers import SEARCHERS
from rgx.sweep.spec import SweepFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLACE = "#/$defs/{model}"


def schema_of(kind: str, near: Path) -> dict[str, Any]:
    """Return the schema of a kind of FILES; near: the folder whose methods' figures a report may ask for.

    What needs the names of variants, rows and columns is beyond it: `rgx plan` and `rgx report` check those.
    """
    return {"$schema": DIALECT, **FILES[kind](near)}


def _sweep(near: Path) -> dict[str, Any]:
    schema = SweepFile.model_json_schema(ref_template=PLACE)
    schema["$defs"]["SearchFile"]["properties"]["searcher"]["enum"] = sorted(SEARCHERS)
    return schema


def _report(near: Path) -> dict[str, Any]:
    import_own(REPORT_ROOMS)
    for package in methods_at_hand(near):
        import_method(package, figures_only=True)
    schema = Report.model_json_schema(ref_template=PLACE)
    parts = schema["$defs"]
    del parts["Figure"]
    panel = parts["Panel"]["properties"]
    panel["order"]["enum"], panel["test"]["enum"] = sorted(ORDERS), sorted(TESTS)
    parts["Reference"] = Reference.model_json_schema(ref_template=PLACE)
    numbers = panel["published"]
    about = {"description": numbers.pop("description", "")}
    panel["published"] = about | {"anyOf": [{"$ref": PLACE.format(model="Reference")}, numbers]}
    _set_figures(schema)
    return schema


def _set_figures(schema: dict[str, Any]) -> None:
    """Say of a report's figures that each has a kind, and what the known kinds take; others take anything."""
    figure: dict[str, Any] = {"type": "object", "required": ["kind"], "allOf": []}
    figure["properties"] = {"kind": {"type": "string", "examples": [v.name for v in variants("figure")]}}
    for variant in variants("figure"):
        kind: type[Figure] = variant.cls
        own = kind.model_json_schema(ref_template=PLACE)
        schema["$defs"] |= own.pop("$defs", {})
        own["properties"] = {"kind": {"const": variant.name}, **own["properties"]}
        schema["$defs"][kind.__name__] = own
        chosen = {"properties": {"kind": {"const": variant.name}}, "required": ["kind"]}
        figure["allOf"].append({"if": chosen, "then": {"$ref": PLACE.format(model=kind.__name__)}})
    schema["$defs"]["Figure"] = figure
    figures = schema["properties"]["figures"]
    figures.pop("patternProperties")
    figures["additionalProperties"] = {"$ref": PLACE.format(model="Figure")}


FILES: dict[str, Callable[[Path], dict[str, Any]]] = {"sweep": _sweep, "report": _report}
