"""A hook of MkDocs: the pages of the documentation site beside docs/, written of the code as it is built.

README, LOG and CHANGELOG become pages; links to what is no page lead into the repository, and one to what is
not there ends the build.
"""

from __future__ import annotations

import inspect
import json
import posixpath
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = {"README.md": "index.md", "LOG.md": "log.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository → the pages they become."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s\"#]+)")
MARKER = re.compile(r"^<!-- .* -->\n", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that no file of docs/ holds."""
    from mkdocs.structure.files import File

    for name, page in WRITTEN.items():
        text = MARKER.sub("", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    for page, write in REFERENCE.items():
        files.append(File.generated(config, page, content=write()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead a page's links to where they lie on the site, or in the repository."""
    from mkdocs.exceptions import PluginError

    try:
        return relinked(markdown, page.file.src_uri, config["repo_url"])
    except FileNotFoundError as error:
        raise PluginError(str(error)) from None


def relinked(text: str, page: str, repository: str) -> str:
    """Return a page's text with its links as the site has them; raises FileNotFoundError for a dead one."""
    source = {own: name for name, own in WRITTEN.items()}.get(page, f"docs/{page}")
    here = PurePosixPath(page).parent

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(f"{PurePosixPath(source).parent}/{link[1]}")
        if target in WRITTEN:
            return posixpath.relpath(WRITTEN[target], here)
        if target.startswith("docs/"):  # MkDocs itself looks whether it is there
            return posixpath.relpath(target.removeprefix("docs/"), here)
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"{source}: a link to {link[1]}, which is not there")
        return f"{repository}/blob/main/{target}"

    return LINK.sub(lead, text)


def variants_page() -> str:
    """Return every axis with its variants, their parameters and where they are from."""
    from rgx.inspect.roster import described
    from rgx.methods import import_methods
    from rgx.registry import import_own

    import_own()
    import_methods()
    lines = [
        "# Axes and variants",
        "",
        "As `rgx variants` lists them; a parameter without a value is required.",
    ]
    for axis, members in groupby(described(), key=lambda variant: variant["axis"]):
        lines += ["", f"## {axis}"]
        for variant in members:
            given = [f"`{name} = {value!r}`" for name, value in variant["parameters"].items()]
            parts = [f"`{name}`" for name in variant["parts"]]
            lines += [
                "",
                f"### {variant['variant']}",
                "",
                f"**{shown(variant['label'])}**. {shown(variant['summary'])}",
            ]
            lines += ["", f"Source: {shown(variant['source'])}."]
            lines += ["", f"Parts: {', '.join(parts)}."] if parts else []
            lines += ["", f"Parameters: {', '.join(given)}."] if given else []
            lines += [f"\nOutside: `{name}`, {shown(whence)}." for name, whence in variant["outside"].items()]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the help of every command, of the framework and of the shipped method."""
    import typer
    from typer.cli import get_docs_for_click

    from rgx.cli import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="rgx"), name="rgx")
    return "# Command line\n\n" + text.partition("\n")[2].lstrip()


def python_page() -> str:
    """Return what `rgx` has for Python, each with its signature and what it says of itself."""
    import rgx
    from rgx.inspect.planned import SweepPlan
    from rgx.report.results import Results
    from rgx.run.invocation import SweepOutcome

    functions = {"rgx.plan": rgx.plan, "rgx.sweep": rgx.api.sweep, "rgx.results": rgx.results}
    functions |= {"rgx.load": rgx.load, "rgx.register": rgx.register}
    lines = ["# Python", "", "A walk through it is [an ablation in Python](../python.md)."]
    for name, function in functions.items():
        lines += ["", *_documented(f"## {name}", name, function)]
    for kind in (SweepPlan, SweepOutcome, Results):
        lines += ["", f"## {kind.__name__}", "", shown(inspect.getdoc(kind) or "")]
        for name, member in vars(kind).items():
            about = inspect.getdoc(member)
            if not name.startswith("_") and about and (callable(member) or not isinstance(member, str)):
                lines += ["", f"- `{name}`: {shown(about.splitlines()[0])}"]
    return "\n".join(lines) + "\n"


def _documented(head: str, name: str, function: Callable[..., Any]) -> list[str]:
    signature = str(inspect.signature(function))
    return [head, "", "```python", f"{name}{signature}", "```", "", shown(inspect.getdoc(function) or "")]


def files_page() -> str:
    """Return the fields of sweep and report files, from their schemas."""
    lines = [
        "# Sweep and report files",
        "",
        "The JSON Schemas that editors read are written by `rgx schema`:",
    ]
    lines += ["[sweep](../schemas/sweep.schema.json), [report](../schemas/report.schema.json)."]
    for kind in ("sweep", "report"):
        schema = json.loads((ROOT / f"docs/schemas/{kind}.schema.json").read_text(encoding="utf-8"))
        lines += ["", f"## A {kind} file", "", *_fields(schema)]
        for name, part in schema["$defs"].items():
            if part.get("properties") and name != "Figure":
                lines += ["", f"### {name}", "", shown(part.get("description", "")), "", *_fields(part)]
    return "\n".join(lines) + "\n"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    """Give a table of an object's keys: what each takes, its default and what it is."""
    yield "| key | takes | default | what |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else ""
        cells = [
            f"`{name}`",
            _taken(field),
            f"`{default}`" if default else "",
            shown(field.get("description", "")),
        ]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _taken(field: dict[str, Any]) -> str:
    """Return in words what a field takes."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_taken(option) for option in options))
    if field.get("type") == "array":
        return f"list of {_taken(field.get('items', {}))}"
    if field.get("type") == "object":
        inner = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
        own = next((part for part in inner if isinstance(part, dict)), {})
        return f"name → {_taken(own)}"
    return {"null": "nothing"}.get(field.get("type", ""), field.get("type", "anything"))


def shown(text: str) -> str:
    """Return text in which Markdown sees no HTML."""
    return text.replace("<", "&lt;")


REFERENCE: dict[str, Callable[[], str]] = {
    "reference/variants.md": variants_page,
    "reference/commands.md": commands_page,
    "reference/python.md": python_page,
    "reference/files.md": files_page,
}
