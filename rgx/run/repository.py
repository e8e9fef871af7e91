"""The git repository that files lie in: its commit, and whether what lies there is what was committed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import rgx

TIMEOUT_S = 10
WRITTEN = ("*.py", "*.gin", "*.yaml", "*.yml")
"""The files whose changes make a repository dirty: what numbers are made from, new ones included."""


@dataclass(frozen=True)
class Repository:
    """A repository at one moment; dirty: whether a file that numbers are made from is not as committed."""

    folder: Path
    commit: str
    dirty: bool

    @property
    def dirt(self) -> str:
        """Return dirty as a word."""
        return "yes" if self.dirty else "no"


def repository_of(folder: Path) -> Repository | None:
    """Return the repository a folder lies in, or None where it lies in none or has no commit."""
    lines = _git(folder, "rev-parse", "--show-toplevel", "HEAD").splitlines()
    if len(lines) != 2:
        return None
    dirty = bool(_git(Path(lines[0]), "status", "--porcelain", "--", *WRITTEN))
    return Repository(Path(lines[0]), lines[1], dirty)


def repository_of_package(folder: Path) -> Repository | None:
    """Return the repository that a package is committed to; one that is only installed there has none."""
    return repository_of(folder) if _git(folder, "ls-files", "--", "__init__.py") else None


def own_repository(folders: Iterable[Path], shipped: Repository | None) -> Repository | None:
    """Return the first repository of these folders that is not rgx's, `shipped`, or None."""
    known = shipped.folder if shipped else None
    repositories = (repository_of(folder) for folder in dict.fromkeys(folders) if folder.is_dir())
    return next((own for own in repositories if own is not None and own.folder != known), None)


def _git(folder: Path, *words: str) -> str:
    """Return what git prints, or nothing where it is absent, refuses or takes too long."""
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def commits(folders: Iterable[Path]) -> dict[str, str]:
    """Return what a manifest says of rgx's repository, and of a person's, which holds one of the folders.

    'commit' and 'dirty' (yes or no) are rgx's; 'own_repository', 'own_commit' and 'own_dirty' the person's.
    """
    shipped = repository_of_package(Path(rgx.__file__).parent)
    own = own_repository(folders, shipped)
    said = {"commit": shipped.commit, "dirty": shipped.dirt} if shipped else {"commit": ""}
    if own is None:
        return said
    return said | {"own_repository": own.folder.name, "own_commit": own.commit, "own_dirty": own.dirt}
