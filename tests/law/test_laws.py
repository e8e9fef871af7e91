"""The house's rules as tests: imports, sizes, docstrings, choices by name, the tree of docs/house.md."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from roster import load_roster

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "rgx").rglob("*.py"))
GESTURE = {"data", "poses", "speech", "align", "tokens", "generate", "animate", "refine"} | {
    *("pixels", "external", "metrics", "video")
}
READS = {"types", "skeleton", "nn"}
FLOWS = {("data", "poses"), ("data", "video"), ("animate", "refine"), ("metrics", "poses")} | {
    *(("external", "poses"), ("external", "video"), ("generate", "external"), ("animate", "external")),
    ("pixels", "generate"),
}
"""A corpus reads keypoint and video files, an animator draws as a refiner does, a measure asks a tracker, a
system outside answers in such files, as a generator or an animator, and pixels are sampled as motion is."""
FLOORS = (
    *({"errors", "translator", "terminal", "memory", "words"}, {"text_file", "yaml_values", "yaml_errors"}),
    *({"outside", "local_server"}, {"variant"}, {"kinds"}),
    *({"yaml_source", "registry", "project", "plugins"}, {"methods", "meta"}),
    *({"lookup"}, {"resources", "shares"}, {"bindings"}, {"statements"}, {"lines"}, {"bound"}),
    *({"store"}, {"stage", "metric", "outputs"}, {"train"}, {"config"}, {"sweep"}, {"run"}, {"report"}),
    *({"options", "command_group"}, {"model"}, {"inspect", "init", "study", "cluster"}, {"live"}, {"api"}),
    *({"cli"}, {"__main__"}),
)
"""The framework from the ground up: what stands on a floor imports that floor and those below."""


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree, read once for all laws."""
    return ast.parse(path.read_text())


@functools.cache
def imported(path: Path) -> set[str]:
    """Return the modules a file imports, outside TYPE_CHECKING or not."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def depends_on() -> dict[str, set[str]]:
    """Return module → the modules of rgx it imports, whether at its top or in a function."""
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in MODULES
    }
    return {
        name: {one for one in imported(path) if one in names} - {name, "rgx"} for name, path in names.items()
    }


def test_no_module_imports_itself_in_a_circle() -> None:
    graph, done = depends_on(), set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_imports_only_go_down() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    for name, others in depends_on().items():
        own = name.split(".")[1] if "." in name else "cli"
        if own == "gesture":
            continue
        assert own in floor, f"rgx/{own} stands on no floor"
        for other in others:
            there = other.split(".")[1]
            assert there != "gesture", f"{name} imports {other}: the framework knows no method"
            assert floor[there] <= floor[own], f"{name} imports {other}, a floor above"


def test_the_rooms_of_the_gesture_method_import_only_what_they_stand_on() -> None:
    allowed = {"errors", "registry", "methods", "metric", "memory", "shares"}
    for name, others in depends_on().items():
        parts = name.split(".")
        if parts[:2] != ["rgx", "gesture"] or len(parts) < 3:
            continue
        for other in others:
            there = other.split(".")[1:]
            if parts[2] in GESTURE | READS and there[0] != "gesture":
                assert there[0] in allowed, f"{name} imports {other}"
            elif parts[2] in GESTURE | READS:
                flows = there[1] == parts[2] or there[1] in READS or (parts[2], there[1]) in FLOWS
                assert flows, f"{name} imports {other}: another room"


def test_stages_never_import_stages() -> None:
    for name, others in depends_on().items():
        if name.startswith("rgx.gesture.stages."):
            assert not [one for one in others if one.startswith("rgx.gesture.stages.")], name


def room(path: Path) -> str:
    return path.relative_to(ROOT / "rgx").parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("gin", {"registry", "statements", "bound", "config"}),
        ("ray", {"run"}),
        ("matplotlib", {"report", "gesture"}),
    ],
)
def test_libraries_with_one_door(library: str, doors: set[str]) -> None:
    for path in MODULES:
        uses = {name for name in imported(path) if name.split(".")[0] == library}
        assert not uses or room(path) in doors, f"{path.relative_to(ROOT)} imports {library}"


def test_sizes() -> None:
    for path in MODULES:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, f"{path.relative_to(ROOT)} is over 300 lines"
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= 70, f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                count = len(node.args.args) + len(node.args.kwonlyargs) - 1
                assert count <= 13, f"{path.relative_to(ROOT)}:{node.lineno} takes {count} arguments"


def test_no_choice_by_name() -> None:
    from rgx.registry import axes, variants

    load_roster()
    names = {v.name for v in variants()} - {"none"} | set(axes())
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq) for op in node.ops):
                for side in (node.left, *node.comparators):
                    if isinstance(side, ast.Constant) and side.value in names - {"bind"}:
                        where = f"{path.relative_to(ROOT)}:{node.lineno}"
                        raise AssertionError(f"{where} compares with the variant name {side.value!r}")


def test_every_module_and_public_thing_says_what_it_is() -> None:
    for path in MODULES:
        tree = parsed(path)
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.relative_to(ROOT)}: {node.name} has no docstring"


def test_every_variant_names_its_source() -> None:
    from rgx.registry import variants

    load_roster()
    for variant in variants():
        assert variant.source and variant.summary and variant.label, variant.key


def test_gin_is_a_folder_of_gin_files_only() -> None:
    assert not [p for p in (ROOT / "gin").rglob("*") if p.is_file() and p.suffix != ".gin"]


def test_help_and_report_stay_light() -> None:
    heavy = ("torch", "ray", "pandas", "librosa")
    code = f"import sys, rgx.cli, rgx.api; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_tree_of_the_house_is_the_tree() -> None:
    tree = (ROOT / "docs/house.md").read_text().split("```tree\n")[1].split("```")[0]
    for line in tree.splitlines():
        name = re.split(r"\s{2,}", line.strip())[0]
        for part in name.split(" · "):
            assert (ROOT / part).exists(), f"docs/house.md names {part}, which is not there"
    for path in (*(ROOT / "rgx").glob("*/__init__.py"), *(ROOT / "rgx" / "gesture").glob("*/__init__.py")):
        folder = path.parent.relative_to(ROOT)
        assert f"{folder}/" in tree, f"docs/house.md leaves out {folder}/"


def test_no_path_of_a_machine_in_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".gin", ".yaml", ".toml"} and path.is_file():
            assert not re.search(r"/(?:work|root|home)/\w", path.read_text()), name


def test_every_reading_that_is_cited_is_there_and_no_other_document_is() -> None:
    page = (ROOT / "docs/readings.md").read_text()
    numbered = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.M)]
    listed = set(numbered)
    assert sorted(numbered) == list(range(1, len(numbered) + 1))
    cited: set[int] = set()
    for folder in ("rgx", "gin", "sweeps", "reports"):
        for path in (p for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".gin", ".yaml"}):
            text = path.read_text()
            assert "facts §" not in text, f"{path.relative_to(ROOT)} cites a document that nobody has"
            for first, word, second in re.findall(r"\breadings? (\d+)(?: (and|to) (\d+))?", text):
                numbers = {int(first), int(second or first)}
                numbers |= set(range(min(numbers), max(numbers))) if word == "to" else set()
                unknown = numbers - listed
                assert not unknown, f"{path.relative_to(ROOT)} cites reading {unknown}, which is not there"
                cited |= numbers
    assert len(cited) > 30
