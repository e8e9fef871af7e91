"""A method, a package of variants and stages: how it is found, imported where it lies, and digested."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from rgx.errors import InputError, nearest
from rgx.project import SHIPPED, default_methods, project_of
from rgx.translator import raised_at, translate
from rgx.words import PLAIN, Words

GROUP = "rgx.methods"
"""The entry points by which an installed package says that it is a method."""


@dataclass(frozen=True)
class Method:
    """What a package says of itself in `METHOD`; one that says nothing is this with nothing set.

    targets: the last stages of a panel that names none; rooms: the modules and subpackages that register
    variants (all where empty); figures: those of its rooms that register figures or formats and import no
    heavy thing; commands: modules whose typer `app` holds further commands; words: its own, for tables;
    references: a module whose `film_references(folders of a row's stages, stage, out)` writes what videos are
    measured against; model: the module whose `product` says what its trained cells are outside a store.
    """

    targets: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    words: Words = PLAIN
    references: str = ""
    model: str = ""


@dataclass(frozen=True)
class Package:
    """A method's package as a worker must find it: its name, where it lies, and its source's digest."""

    name: str
    folder: str
    digest: str

    @property
    def path(self) -> Path:
        """Return the folder of its source."""
        return Path(self.folder).joinpath(*self.name.split("."))


def installed() -> dict[str, str]:
    """Return name → package of every installed method."""
    return _entry_points(tuple(sys.path))


@cache
def _entry_points(places: tuple[str, ...]) -> dict[str, str]:
    from importlib.metadata import entry_points  # a tenth of what `rgx --help` may take, and needed by few

    return {point.name: point.value for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def methods_of(given: str | list[str], file: Path, place: str) -> list[Package]:
    """Return the methods of a sweep or report: those it names, else the one it lies in, else its project's.

    place: where the file names them, for messages. Raises InputError for one that is not found.
    """
    names = [given] if isinstance(given, str) else given
    if not names:
        for package in methods_at_hand(file.parent):
            if file.resolve().is_relative_to(package.path.resolve()):
                return [package]
        names, place = default_methods(file.parent), str(file)
    return list(dict.fromkeys(find_package(name, file.parent, place) for name in names))


def methods_at_hand(near: Path) -> list[Package]:
    """Return the project's methods, the installed ones and the shipped one; raises InputError for the first.

    An installed one that has no package is left out: nobody asked for it.
    """
    defaults = default_methods(near)
    packages = [find_package(name, near, f"{project_of(near)}/pyproject.toml") for name in defaults]
    for name in sorted({*installed().values(), SHIPPED} - {package.name for package in packages}):
        with contextlib.suppress(InputError):
            packages.append(find_package(name, near, name))
    return packages


def find_package(name: str, near: Path, place: str) -> Package:
    """Return where the package `name` (or an installed method of that name) lies; raises InputError.

    near: the folder of the file that names it; looked for there, in its project, here, and then where
    Python looks. place: who asks, for messages.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"{place}: method {name!r}: expected the name of a package, such as my_method")
    meant = installed().get(name, name)
    for package in dict.fromkeys((name, meant)):
        folders = _search_folders(package, near)
        for folder in folders:
            path = folder.joinpath(*package.split("."))
            if (path / "__init__.py").is_file():
                return Package(package, str(folder), digest(path))
    spec = _find_spec(meant, f"{place}: method {name}")
    if spec is None or spec.origin is None or not spec.submodule_search_locations:
        raise InputError(f"{place}: no method '{name}': {_why_none(name, spec, folders)}")
    path = Path(next(iter(spec.submodule_search_locations)))
    return Package(meant, str(path.parents[meant.count(".")]), digest(path))


def _search_folders(name: str, near: Path) -> list[Path]:
    """Return the folders a package is looked for in before Python's own: rgx itself is the one that runs."""
    if name.partition(".")[0] == __name__.partition(".")[0]:
        return [Path(__file__).resolve().parents[1]]
    project = project_of(near)
    return list(dict.fromkeys([near.resolve(), *([project, project / "src"] if project else []), Path.cwd()]))


def _find_spec(package: str, wrong: str) -> ModuleSpec | None:
    """Return what Python knows of a package; raises InputError where one above it cannot be imported."""
    try:
        return importlib.util.find_spec(package)
    except ValueError:  # a module that was made, not imported
        return None
    except InputError:
        raise
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and f"{package}.".startswith(f"{error.name}.")
        if absent:
            return None
        raise InputError(
            f"{wrong}: {raised_at(error, __file__)}{type(error).__name__}: {translate(error)}"
        ) from error


def _why_none(name: str, spec: ModuleSpec | None, folders: list[Path]) -> str:
    """Return what lies there instead of the package `name`, or the nearest name and where was looked."""
    paths = [folder.joinpath(*name.split(".")) for folder in folders]
    file = next((path.with_suffix(".py") for path in paths if path.with_suffix(".py").is_file()), None)
    bare = next((path for path in paths if path.is_dir()), None)
    if spec is not None and spec.origin is None and spec.submodule_search_locations:
        bare = bare or Path(next(iter(spec.submodule_search_locations)))
    if file is not None:
        return f"{file} is one file, not a package; give it as `imports: [{file.name}]`, or --import"
    if bare is not None:
        return f"{bare} is a folder without __init__.py"
    if spec is not None:
        return f"{spec.origin} is a module, not a package"
    known = [*installed(), *(p.parent.name for folder in folders for p in folder.glob("*/__init__.py"))]
    return f"{nearest(name, known)} (looked in {', '.join(map(str, folders))} and sys.path)"


def digest(folder: Path) -> str:
    """Return one SHA-256 over all Python source of a package."""
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        state.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return state.hexdigest()


def import_method(package: Package, *, figures_only: bool = False) -> Method:
    """Import a method's rooms, so that the roster has its variants; raises InputError with the line.

    A worker calls it too: source of another digest than the driver's is refused.
    """
    root = _import_root(package, figures_only)
    method = _described(root, package.name)
    rooms = method.figures if figures_only else method.rooms or _all_modules(root)
    for room in rooms:
        module = _import(f"{package.name}.{room}")
        for inner in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
            if not inner.name.endswith(".__main__"):
                _import(inner.name)
    return method


def command_apps(package: Package) -> list[Any]:
    """Return the typer apps with a method's commands; raises InputError for one that cannot be imported."""
    modules = [_import(name) for name in _described(_import_root(package, True), package.name).commands]
    for module in modules:
        if not hasattr(module, "app"):
            raise InputError(f"{module.__file__}: a module of commands, and it has no typer `app`")
    return [module.app for module in modules]


def reference_films(package: Package) -> Any:
    """Return a method's `film_references`, or None where it has none; raises InputError where it lacks it."""
    name = _described(_import_root(package, True), package.name).references
    return _offered(name, "film_references") if name else None


def product_of(package: Package) -> Any:
    """Return what says how a method's trained cells leave the store; raises InputError where nothing does."""
    root = _import_root(package, True)
    if name := _described(root, package.name).model:
        return _offered(name, "product")
    raise InputError(f"{root.__file__}: METHOD.model names no module: its cells cannot leave the store")


def _offered(name: str, what: str) -> Any:
    module = _import(name)
    if not hasattr(module, what):
        raise InputError(f"{module.__file__}: METHOD names this module for its `{what}`, which it has not")
    return getattr(module, what)


def import_methods(names: Sequence[str] = (SHIPPED,), near: Path | None = None) -> tuple[Package, ...]:
    """Find and import methods by name; raises InputError."""
    packages = tuple(find_package(name, near or Path.cwd(), "method") for name in names)
    for package in packages:
        import_method(package)
    return packages


def _import_root(package: Package, anywhere: bool) -> ModuleType:
    """Import a package from where it lies, before any other of its name; raises InputError.

    anywhere: take it unread when it is the one asked for, though its source has changed since.
    """
    top = package.name.partition(".")[0]
    if getattr(sys.modules.get(top), "__file__", None) is None:
        spec = importlib.util.find_spec(top) if top not in sys.modules else sys.modules[top].__spec__
        locations = [Path(p).resolve() for p in getattr(spec, "submodule_search_locations", None) or ()]
        if Path(package.folder).resolve() / top not in locations and Path(package.folder).is_dir():
            sys.path.insert(0, package.folder)
            importlib.invalidate_caches()
    root = _import(package.name)
    file = Path(getattr(root, "__file__", None) or "")
    if file.name != "__init__.py":
        raise InputError(
            f"method {package.name} in {package.folder}: Python has {root} by that name; rename the method"
        )
    folder = file.resolve().parent
    planned = folder == package.path.resolve()
    if not (planned and anywhere) and digest(folder) != package.digest:
        remedy = "" if planned else "; where a package of that name is installed or imported too, rename one"
        raise InputError(
            f"method {package.name}: the source in {folder} is not the one that was planned with, "
            f"in {package.path}; a worker and its driver need the same code{remedy}"
        )
    return root


def _described(root: ModuleType, name: str) -> Method:
    method = getattr(root, "METHOD", Method())
    if not isinstance(method, Method):
        raise InputError(f"{root.__file__}: METHOD is {type(method).__name__}, expected rgx.methods.Method")
    return method


def _all_modules(root: ModuleType) -> list[str]:
    prefix = f"{root.__name__}."
    names = [module.name.removeprefix(prefix) for module in pkgutil.iter_modules(root.__path__, prefix)]
    return [name for name in names if name != "__main__"]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"method module {name}: {raised_at(error, __file__)}{type(error).__name__}: {translate(error)}"
        ) from error


def is_package(name: str, near: Path) -> bool:
    """Return whether `--import NAME` means a package; one file of that name, here or in `near`, is nearer."""
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        return False
    for folder in (Path.cwd(), near):
        path = folder.joinpath(*name.split("."))
        if (path / "__init__.py").is_file() or path.with_suffix(".py").is_file():
            return path.is_dir()
    spec = _find_spec(name, f"import {name}")
    return spec is not None and bool(spec.submodule_search_locations)


def roots() -> Iterator[tuple[str, Path]]:
    """Give (top package, the folder that holds it) of every package whose variants are registered."""
    from rgx.registry import variants

    seen = {variant.cls.__module__.partition(".")[0] for variant in variants()}
    for name in sorted(seen):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is not None and Path(path).name == "__init__.py":
            yield name, Path(path).parents[1]
