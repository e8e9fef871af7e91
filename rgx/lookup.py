"""Where a file is looked for: as given or beside the file that names it, in the project, in the methods."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rgx.errors import DISTRIBUTION, InputError, nearest
from rgx.methods import Package, methods_at_hand
from rgx.project import SHIPPED, project_of

CARRIED = ("gin", "sweeps", "reports")
"""The folders a method carries, in its package or, in a checkout, beside its project's pyproject.toml."""


class NoFileError(InputError):
    """A file that was named is nowhere."""


def folders_of(package: Package) -> list[Path]:
    """Return the folders that hold a method's gin, sweeps and reports: its own, and its checkout's."""
    folder = Path(package.folder)
    checkout = [f for f in (folder, folder.parent) if (f / "pyproject.toml").is_file()]
    return [f for f in (package.path, *checkout) if any((f / name).is_dir() for name in CARRIED)]


def is_carried(file: Path, methods: Iterable[Package]) -> bool:
    """Return whether a gin file is one that a method carries, or a copy of it, and not a person's own.

    So a method that is installed and not edited is the same method inside a clone of it.
    """
    shipped = [folder / "gin" for package in methods for folder in folders_of(package)]
    if any(file.resolve().is_relative_to(folder.resolve()) for folder in shipped):
        return True
    alike = [path for folder in shipped for path in folder.rglob(file.name)]
    return any(path.read_bytes() == file.read_bytes() for path in alike)


def find_given(path: Path, what: str) -> Path:
    """Return a file that a person named: as given, in the project here, in a method at hand.

    what: what it is, such as `sweep file`. Raises NoFileError with the places looked in.
    """
    if path.is_file():
        return path
    if path.is_dir():
        inside = sorted(file.as_posix() for file in path.glob("*.yaml"))
        such = f", such as {inside[0]}" if inside else ""
        raise NoFileError(f"{path} is a folder: expected a {what}{such}")
    return find_file(str(path), _folders_at_hand([Path.cwd()], Path.cwd()), f"no {what} {path}")


def find_report(sweep: Path) -> Path:
    """Return a sweep's report, the file of its name; raises NoFileError with the places looked in."""
    near = sweep.parent
    folders = _folders_at_hand([near.parent, near, Path.cwd()], near)
    return find_file(f"reports/{sweep.name}", folders, f"no report reports/{sweep.name} for {sweep}")


def report_of(file: Path) -> Path:
    """Return a report file as a person named it, or that of a sweep; raises NoFileError as the others do."""
    return find_given(file, "report") if file.parent.name == "reports" else find_report(file)


def folders_around(path: Path, methods: Iterable[Package]) -> list[Path]:
    """Return where the files are looked for that the file `path` names: the nearest to it first."""
    near, project = path.resolve().parent, project_of(path.parent)
    own = [folder for package in methods for folder in folders_of(package)]
    return list(dict.fromkeys([near, near.parent, *([project] if project else []), Path.cwd(), *own]))


def find_file(name: str, folders: Iterable[Path], wrong: str) -> Path:
    """Return the first file `name` in `folders`; raises NoFileError that begins with `wrong`."""
    name, folders = str(Path(name).expanduser()), [folder.resolve() for folder in folders]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    places = list(dict.fromkeys((folder / name).parent for folder in folders))
    siblings = [path.name for place in places for path in place.glob(f"*{Path(name).suffix}")]
    spelling = nearest(Path(name).name, siblings) if siblings else nearest(name, _carried(folders, name))
    raise NoFileError(f"{wrong}: {spelling} (looked in {', '.join(map(str, places))}){_unpacked()}")


def complete_sweep(incomplete: str) -> list[str]:
    """Return what a shell offers for a sweep file: files and folders here, and the sweeps of the methods."""
    here = Path.cwd()
    head, _, tail = incomplete.rpartition("/")
    names = {path.name for path in (here / head).glob(f"{tail}*") if path.suffix == ".yaml" or path.is_dir()}
    local = {f"{head}/{name}" if head else name for name in names}
    try:
        folders = _folders_at_hand([], here)
    except InputError:
        folders = []
    shared = {f"sweeps/{path.name}" for folder in folders for path in (folder / "sweeps").glob("*.yaml")}
    return sorted(local | {name for name in shared if name.startswith(incomplete)})


def _folders_at_hand(first: list[Path], near: Path) -> list[Path]:
    """Return `first`, the project of `near`, and the folders of the methods at hand there."""
    project = project_of(near)
    own = [folder for package in methods_at_hand(near) for folder in folders_of(package)]
    return [*first, *([project] if project else []), *own]


def _carried(folders: Iterable[Path], name: str) -> list[str]:
    """Return the files of the kind of `name` that lie where methods and projects have theirs."""
    return [
        path.relative_to(folder).as_posix()
        for folder in folders
        for carried in CARRIED
        for path in (folder / carried).rglob(f"*{Path(name).suffix}")
    ]


def _unpacked() -> str:
    """Return what to do where the shipped method came without its files, or nothing."""
    shipped = [package for package in methods_at_hand(Path.cwd()) if package.name == SHIPPED]
    bare = [package for package in shipped if not folders_of(package)]
    return "".join(
        f"; {method.path} lacks {', '.join(CARRIED)}: install {DISTRIBUTION} again" for method in bare
    )
