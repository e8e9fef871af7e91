"""Methods as packages: where they are found, how they are imported, and what is said of a wrong one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from little import command

from rgx import registry
from rgx.errors import InputError
from rgx.methods import find_package, import_method, installed, is_package, methods_of
from rgx.plugins import find_plugin, load_plugin
from rgx.project import default_methods

VARIANT = """
from rgx import register

@register("test_axis", "{name}")
class {cls}:
    \"""A thing.\"""
"""
SWEEP = "name: own\nconfig: [gin/realistic_gesture.gin]\nmethod: {method}\npanels:\n  p:\n    row: {{}}\n"


@pytest.fixture(autouse=True)
def left_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Work in an empty folder, and forget afterwards what a test imported and registered."""
    modules, path = set(sys.modules), list(sys.path)
    monkeypatch.setattr(registry, "_roster", dict(registry._roster))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        module = vars(sys.modules[name])
        if str(tmp_path) in f"{module.get('__file__')} {module.get('__path__')}":
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names() -> set[str]:
    return {variant.name for variant in registry.variants("test_axis")}


def test_a_package_of_many_files_with_relative_imports(tmp_path: Path) -> None:
    files = {
        "many_files/__init__.py": "",
        "many_files/__main__.py": "raise SystemExit('nobody ran this')",
        "many_files/sizes.py": "SIZE = 3",
        "many_files/parts/__init__.py": "from .deep.part import Part",
        "many_files/parts/deep/__init__.py": "",
        "many_files/parts/deep/part.py": "from ...sizes import SIZE"
        + VARIANT.format(name="deep", cls="Part"),
        "many_files/parts/deep/other.py": VARIANT.format(name="other", cls="Other"),
    }
    import_method(find_package("many_files", write(tmp_path, files), "x.yaml:1"))
    assert {"deep", "other"} <= names()


@pytest.mark.parametrize("layout", ["", "src/"])
def test_a_method_is_found_in_the_project_of_the_file_that_names_it(tmp_path: Path, layout: str) -> None:
    name = f"laid_out_{len(layout)}"
    project = {"pyproject.toml": f"[tool.rgx]\nmethod = '{name}'", f"{layout}{name}/__init__.py": ""}
    write(tmp_path / "project", project)
    sweep = tmp_path / "project/sweeps/deeper/x.yaml"
    [package] = methods_of([], sweep, "")
    assert package.path == tmp_path / "project" / layout / name
    import_method(package)
    assert Path(str(sys.modules[name].__file__)).parent == package.path


def test_the_package_beside_the_sweep_file_comes_before_any_other_of_its_name(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"twofold/__init__.py": "PLACE = 'elsewhere'"})
    beside = write(tmp_path / "beside", {"twofold/__init__.py": "PLACE = 'beside'"})
    sys.path[:0] = [str(elsewhere), str(beside)]
    import_method(find_package("twofold", beside, "x.yaml:1"))
    assert sys.modules["twofold"].PLACE == "beside"


def test_another_package_of_the_name_that_is_imported_already_is_never_taken_for_it(tmp_path: Path) -> None:
    first = write(tmp_path / "first", {"known_twice/__init__.py": "PLACE = 1"})
    second = write(tmp_path / "second", {"known_twice/__init__.py": "PLACE = 2"})
    import_method(find_package("known_twice", first, "x.yaml:1"))
    with pytest.raises(InputError, match=rf"{first}.* is not the one .*{second}.*rename one"):
        import_method(find_package("known_twice", second, "y.yaml:1"), figures_only=True)


@pytest.mark.parametrize("taken", ["json", "types", "sys"])
def test_a_name_that_python_has_for_a_module_of_its_own(tmp_path: Path, taken: str) -> None:
    folder = write(tmp_path, {f"{taken}/__init__.py": ""})
    with pytest.raises(InputError, match=rf"method {taken}.*rename"):
        import_method(find_package(taken, folder, "x.yaml:1"))
    with pytest.raises(InputError, match=rf"{taken}\.py: Python has .* rename"):
        load_plugin(taken, "")


def test_methods_that_share_a_namespace_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        part = VARIANT.format(name=name, cls="Part")
        folder = write(tmp_path / name, {f"company/{name}/__init__.py": "", f"company/{name}/part.py": part})
        import_method(find_package(f"company.{name}", folder, "x.yaml:1"))
    assert {"one", "two"} <= names()


def test_several_methods_of_one_file(tmp_path: Path) -> None:
    folder = write(tmp_path, {"several_a/__init__.py": "", "several_b/__init__.py": ""})
    packages = methods_of(["several_a", "several_b", "several_a"], folder / "x.yaml", "x.yaml:1")
    assert [package.name for package in packages] == ["several_a", "several_b"]


def test_an_installed_method_is_found_by_the_name_of_its_entry_point(tmp_path: Path) -> None:
    site = write(
        tmp_path / "site",
        {
            "its_package/__init__.py": "",
            "its_package/sweeps/x.yaml": "",
            "its_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: its-package\nVersion: 1.0\n",
            "its_package-1.0.dist-info/entry_points.txt": "[rgx.methods]\nshort = its_package\n",
        },
    )
    sys.path.insert(0, str(site))
    assert installed()["short"] == "its_package"
    assert find_package("short", tmp_path, "x.yaml:1").path == site / "its_package"
    write(tmp_path, {"pyproject.toml": "[tool.rgx]\nmethod = 'rgx.gesture'"})
    [own] = methods_of([], site / "its_package/sweeps/x.yaml", "")
    assert own.name == "its_package", "a file that a method carries is that method's, in any project"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no method 'my_method': .*looked in"),
        ({"my_metod/__init__.py": ""}, "no method 'my_method': did you mean 'my_metod'"),
        ({"my_method.py": ""}, r"my_method\.py is one file, not a package; .*`imports: \[my_method\.py\]`"),
        ({"my_method/part.py": ""}, r"my_method is a folder without __init__\.py"),
    ],
)
def test_what_lies_there_instead_of_a_method(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=rf"x\.yaml:3: .*{said}"):
        find_package("my_method", write(tmp_path, files), "x.yaml:3")


@pytest.mark.parametrize("name", ["my-method", "a/b", "", "."])
def test_what_cannot_be_a_package(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected the name of a package"):
        find_package(name, tmp_path, "x.yaml:3")


def test_a_method_that_cannot_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"fails/__init__.py": "", "fails/part.py": "\n1 / 0\n", "x.yaml": SWEEP.format(method="fails")}
    folder = write(tmp_path, files)
    assert command("plan", str(folder / "x.yaml"), "--store", str(tmp_path / "store")) == 2
    said = capsys.readouterr().err
    wrong = f"{folder}/fails/part.py:2: ZeroDivisionError: division by zero"
    assert said == f"error: method module fails.part: {wrong}\n"
    assert not (tmp_path / "store").exists()


def test_a_package_above_a_method_that_cannot_be_imported(tmp_path: Path) -> None:
    site = write(
        tmp_path / "site", {"above/__init__.py": "import no_such_thing", "above/method/__init__.py": ""}
    )
    sys.path.insert(0, str(site))
    said = r"x\.yaml:3: method above\.method: .*above/__init__\.py:1: ModuleNotFoundError"
    with pytest.raises(InputError, match=said):
        find_package("above.method", tmp_path, "x.yaml:3")


def test_two_methods_that_register_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = VARIANT.format(name="disputed", cls="Same")
    folder = write(tmp_path, {"x.yaml": SWEEP.format(method="[first_of_two, other_of_two]")})
    for name in ("first_of_two", "other_of_two"):
        write(tmp_path, {f"{name}/__init__.py": "", f"{name}/part.py": part})
    assert command("plan", str(folder / "x.yaml"), "--store", str(tmp_path / "store")) == 2
    said = capsys.readouterr().err
    assert (
        "test_axis/disputed is registered twice: by first_of_two.part.Same and by other_of_two.part.Same"
        in said
    )
    assert all(str(tmp_path / name / "part.py") in said for name in ("first_of_two", "other_of_two"))
    assert said.count("\n") == 1 and not (tmp_path / "store").exists()


def test_source_that_is_not_what_was_planned_with_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, {"changed/__init__.py": ""})
    package = find_package("changed", folder, "x.yaml:1")
    write(tmp_path, {"changed/part.py": "A = 1"})
    with pytest.raises(InputError, match=r"changed is not the one that was planned with.*the same code$"):
        import_method(package)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.rgx]\nmethod = 7", "method = 7: expected a package or a list of them"),
        ("[tool]\nrgx = 3", r"tool\.rgx is 3, expected a table"),
        ("tool = 3", "expected a table"),
        ("[tool", "not TOML"),
    ],
)
def test_a_project_that_says_something_else(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"pyproject\.toml: .*{said}"):
        default_methods(write(tmp_path, {"pyproject.toml": text}))


def test_an_import_is_the_file_or_the_package_that_lies_nearest(tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common_name/__init__.py": "", "only_there/__init__.py": ""})
    sys.path.insert(0, str(site))
    near = write(tmp_path / "near", {"common_name.py": "", "both.py": "", "both/__init__.py": ""})
    assert not is_package("common_name", near)
    assert is_package("only_there", near)
    assert is_package("both", near), "as Python has it"
    assert not is_package("both.py", near)
    assert not is_package("./both", near)
    for name in ("both.py", "./both.py", "./both"):
        assert find_plugin(name, near) == ("both", "")
    with pytest.raises(InputError, match=r"cannot import 'sys': looked for sys\.py in"):
        find_plugin("sys", near)


def test_help_goes_on_where_a_projects_method_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rgx.cli import main

    files = {
        "pyproject.toml": "[tool.rgx]\nmethod = 'helpless'",
        "helpless/__init__.py": "import no_such_thing",
    }
    monkeypatch.chdir(write(tmp_path / "project", files))
    for words, code in ((["--help"], 0), (["no_such_command"], 2)):
        monkeypatch.setattr(sys, "argv", ["rgx", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert (stop.value.code or 0) == code
        captured = capsys.readouterr()
        assert "error: method module helpless: " in captured.err
        assert "No module named 'no_such_thing'" in captured.err
        assert (" prepare " in captured.out) == (code == 0)
