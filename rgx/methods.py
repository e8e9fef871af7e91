"""A method is a package that registers variants and stages: found, imported, digested, and its files.

A single file given with `--import` is shipped to workers as source; a package is imported where it lies, and
a worker that has other source of it refuses.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from rgx.errors import InputError, nearest
from rgx.words import PLAIN, Words

GROUP = "rgx.methods"
"""The entry points by which an installed package says that it is a method."""
SHIPPED = "rgx.gesture"
FILES = ("gin", "sweeps", "reports")
"""The folders a method carries, in its package or, in a checkout, beside its project's pyproject.toml."""


@dataclass(frozen=True)
class Method:
    """What a package says of itself in `METHOD`; one that says nothing is this with nothing set.

    targets: the last stages of a panel that names none; rooms: the modules and subpackages that register
    variants (all where empty); figures: those of its rooms that register figures or formats and import no
    heavy thing; commands: modules whose typer `app` holds further commands; words: its own, for tables.
    """

    targets: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    words: Words = PLAIN


@dataclass(frozen=True)
class Package:
    """A method's package as a worker must find it: its name, where it lies, and its source's digest."""

    name: str
    folder: str
    digest: str


def installed() -> dict[str, str]:
    """Return name → package of every installed method."""
    return {point.name: point.value for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def project_of(near: Path) -> Path | None:
    """Return the nearest folder at or above `near`, or else at or above here, that has a pyproject.toml."""
    for start in (near.resolve(), Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "pyproject.toml").is_file():
                return folder
    return None


def default_methods(near: Path) -> list[str]:
    """Return the methods of a file that names none: `[tool.rgx] method` of its project, else the shipped one.

    Raises InputError for a pyproject.toml that says something else there.
    """
    project = project_of(near)
    if project is not None:
        path = project / "pyproject.toml"
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("rgx", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not TOML: {error}") from None
        if "method" in table:
            given = table["method"]
            names = [given] if isinstance(given, str) else given
            if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
                raise InputError(
                    f"{path}: [tool.rgx] method = {given!r}: expected a package or a list of them"
                )
            return names
    return [SHIPPED]


def find_package(name: str, near: Path, place: str) -> Package:
    """Return where the package `name` (or an installed method of that name) lies; raises InputError.

    near: the folder of the file that names it; looked for there, in its project, here, and where Python
    looks. place: who asks, for messages.
    """
    package = installed().get(name, name)
    if not all(part.isidentifier() for part in package.split(".")):
        raise InputError(f"{place}: method {name!r}: expected the name of a package, such as my_method")
    project = project_of(near)
    imported = package.partition(".")[0] in sys.modules
    folders = (
        [] if imported else [near.resolve(), *([project, project / "src"] if project else []), Path.cwd()]
    )
    for folder in folders:
        path = folder.joinpath(*package.split("."))
        if (path / "__init__.py").is_file():
            return Package(package, str(folder), digest(path))
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        known = [*installed(), *(p.parent.name for folder in folders for p in folder.glob("*/__init__.py"))]
        looked = ", ".join(dict.fromkeys(map(str, folders)))
        raise InputError(
            f"{place}: no method '{name}': {nearest(name, known)}; looked in {looked} and sys.path"
        )
    path = Path(next(iter(spec.submodule_search_locations)))
    return Package(package, str(path.parents[package.count(".")]), digest(path))


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
    _reach(package)
    root = _import(package.name)
    method = _described(root, package.name)
    if root.__file__ is None:
        raise InputError(f"method {package.name} is a folder without __init__.py")
    if not figures_only and digest(Path(root.__file__).parent) != package.digest:
        raise InputError(
            f"method {package.name}: the source in {Path(root.__file__).parent} is not the one that was "
            "planned with; a worker and its driver need the same code"
        )
    rooms = method.figures if figures_only else method.rooms or _all_modules(root)
    for room in rooms:
        module = _import(f"{package.name}.{room}")
        for inner in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
            _import(inner.name)
    return method


def describe(package: Package) -> Method:
    """Return what a method says of itself, without importing its rooms; raises InputError."""
    _reach(package)
    return _described(_import(package.name), package.name)


def method_commands(near: Path) -> list[str]:
    """Return the modules that hold the commands of the methods at hand, and of the shipped one."""
    packages = [
        find_package(name, near, "pyproject.toml")
        for name in {SHIPPED: 0, **dict.fromkeys(default_methods(near))}
    ]
    return list(dict.fromkeys(module for package in packages for module in describe(package).commands))


def import_methods(names: Sequence[str] = (SHIPPED,), near: Path | None = None) -> tuple[Package, ...]:
    """Find and import methods by name; raises InputError."""
    packages = tuple(find_package(name, near or Path.cwd(), "method") for name in names)
    for package in packages:
        import_method(package)
    return packages


def folders_of(package: Package) -> list[Path]:
    """Return the folders that hold a method's gin, sweeps and reports: its own, and its checkout's."""
    own = Path(package.folder).joinpath(*package.name.split("."))
    checkout = [p for p in (Path(package.folder), *Path(package.folder).parents[:1]) if _is_project(p)]
    return [f for f in (own, *checkout) if any((f / name).is_dir() for name in FILES)]


def _is_project(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file()


def _reach(package: Package) -> None:
    """Let Python find the package where it lies, before any other of its name."""
    known = sys.modules.get(package.name.partition(".")[0])
    folder = str(Path(package.folder))
    if known is None and folder not in sys.path and Path(folder).is_dir():
        sys.path.insert(0, folder)


def _described(root: ModuleType, name: str) -> Method:
    method = getattr(root, "METHOD", Method())
    if not isinstance(method, Method):
        raise InputError(f"{root.__file__}: METHOD is {type(method).__name__}, expected rgx.methods.Method")
    return method


def _all_modules(root: ModuleType) -> list[str]:
    prefix = f"{root.__name__}."
    return [m.name.removeprefix(prefix) for m in pkgutil.iter_modules(root.__path__, prefix)]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"method module {name}: {_where(error)}{type(error).__name__}: {error}") from error


def _where(error: BaseException) -> str:
    """Return file:line of the deepest frame outside importlib, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and file != __file__ and "importlib" not in file:
            place = f"{file}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return place


def find_plugin(name: str, near: Path) -> tuple[str, str]:
    """Return (module name, source) of `my_variants[.py]`, in the working folder or in `near`."""
    wanted = Path(name)
    stem = wanted.with_suffix("") if wanted.suffix == ".py" else Path(*name.split("."))
    for folder in (Path.cwd(), near):
        path = (folder / stem).with_suffix(".py")
        if path.is_file():
            return stem.name, path.read_text()
    try:
        spec = importlib.util.find_spec(name) if wanted.suffix != ".py" else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin and not spec.submodule_search_locations:
        return name, Path(spec.origin).read_text()
    raise InputError(f"cannot import '{name}': looked for {stem}.py in {Path.cwd()} and {near}")


def is_package(name: str, near: Path) -> bool:
    """Return whether `--import NAME` means a package, here, in `near` or where Python looks."""
    if name.endswith(".py"):
        return False
    for folder in (Path.cwd(), near):
        if (folder.joinpath(*name.split(".")) / "__init__.py").is_file():
            return True
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and bool(spec.submodule_search_locations)


def roots() -> Iterator[tuple[str, Path]]:
    """Give (top package, the folder that holds it) of every package whose variants are registered."""
    from rgx.registry import variants

    seen = {variant.cls.__module__.partition(".")[0] for variant in variants()}
    for name in sorted(seen):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is not None and Path(path).name == "__init__.py":
            yield name, Path(path).parents[1]


def load_plugin(name: str, source: str) -> None:
    """Run a plugin's source as a module once; raises InputError with the line that failed."""
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__rgx_source__", None) == source:
        return
    module = ModuleType(name)
    module.__rgx_source__ = source  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    except InputError:
        raise
    except Exception as error:
        del sys.modules[name]
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == f"{name}.py":
                line = trace.tb_lineno
            trace = trace.tb_next
        line = getattr(error, "lineno", None) or line
        raise InputError(f"{name}.py:{line}: {type(error).__name__}: {error}") from error
