"""The house's rules as tests: imports, sizes, docstrings, choices by name, the README's tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "rgx").rglob("*.py"))
ROOMS = {"data", "poses", "speech", "align", "tokens", "generate", "animate", "refine", "metrics"} | {"video"}
MAY_IMPORT = {"types", "registry", "skeleton", "nn", "errors"}
READS = {("data", "poses"), ("data", "video")}
"""A corpus of recordings reads keypoint and video files: the arrows between rooms, along the data flow."""


def imported(path: Path) -> set[str]:
    """Return the modules a file imports, outside TYPE_CHECKING or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT / "rgx").parts[0].removesuffix(".py")


def test_rooms_never_import_each_other() -> None:
    for path in MODULES:
        own = room(path)
        if own not in ROOMS | {"nn", "train", "types", "skeleton"}:
            continue
        allowed = {"types", "errors", "registry"} if own == "train" else MAY_IMPORT
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "rgx" or len(parts) < 2:
                continue
            there = parts[1]
            if there not in {own} | allowed and (own, there) not in READS:
                raise AssertionError(f"{path.relative_to(ROOT)} imports {name}")


@pytest.mark.parametrize(
    ("library", "doors"),
    [("gin", {"registry", "config"}), ("ray", {"sweep"}), ("matplotlib", {"report"})],
)
def test_libraries_with_one_door(library: str, doors: set[str]) -> None:
    for path in MODULES:
        uses = {name for name in imported(path) if name.split(".")[0] == library}
        assert not uses or room(path) in doors, f"{path.relative_to(ROOT)} imports {library}"


def test_sizes() -> None:
    for path in MODULES:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, f"{path.relative_to(ROOT)} is over 300 lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= 70, f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                count = len(node.args.args) + len(node.args.kwonlyargs) - 1
                assert count <= 13, f"{path.relative_to(ROOT)}:{node.lineno} takes {count} arguments"


def test_no_choice_by_name() -> None:
    from rgx.registry import axes, load_rooms, variants

    load_rooms()
    names = {v.name for v in variants()} - {"none"} | set(axes())
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq) for op in node.ops):
                for side in (node.left, *node.comparators):
                    if isinstance(side, ast.Constant) and side.value in names - {"bind"}:
                        where = f"{path.relative_to(ROOT)}:{node.lineno}"
                        raise AssertionError(f"{where} compares with the variant name {side.value!r}")


def test_every_module_and_public_thing_says_what_it_is() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.relative_to(ROOT)}: {node.name} has no docstring"


def test_every_variant_names_its_source() -> None:
    from rgx.registry import load_rooms, variants

    load_rooms()
    for variant in variants():
        assert variant.source and variant.summary and variant.label, variant.key


def test_gin_is_a_folder_of_gin_files_only() -> None:
    assert not [p for p in (ROOT / "gin").rglob("*") if p.is_file() and p.suffix != ".gin"]


def test_help_and_report_stay_light() -> None:
    heavy = ("torch", "ray", "pandas", "librosa")
    code = f"import sys, rgx.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_tree_is_the_tree() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = readme.split("```tree\n")[1].split("```")[0]
    for line in tree.splitlines():
        name = re.split(r"\s{2,}", line.strip())[0]
        for part in name.split(" · "):
            assert (ROOT / part).exists(), f"README's tree names {part}, which is not there"
    for folder in sorted(p.parent.relative_to(ROOT) for p in (ROOT / "rgx").glob("*/__init__.py")):
        assert f"{folder}/" in tree, f"README's tree leaves out {folder}/"


def test_no_path_of_a_machine_in_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".gin", ".yaml", ".toml"} and path.is_file():
            assert not re.search(r"/(?:work|root|home)/\w", path.read_text()), name
