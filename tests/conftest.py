"""What all tests share: one finished store, and how several processes divide the tests."""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from little import sweep

if TYPE_CHECKING:
    from rgx.gesture.model.gesture_model import GestureModel

FIRST = ("ray", "ray clusters", "ray in pipelines", "extractors")
"""Groups that are begun first: what starts Ray and waits for it; what waits for environments of pip's."""


gc.disable()


def pytest_collection_finish() -> None:
    """Collect from now on, and nothing of what all tests import, which stays."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a file's tests on one process, and begin with what takes long where several share the tests."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {_group(item) for item in items if item.get_closest_marker("slow")}
        ranks = {group: place for place, group in enumerate(FIRST)}
        items.sort(key=lambda item: (ranks.get(_group(item), len(ranks)), _group(item) not in slow))


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other processes out that enter by the same file."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the little sweep, made once for all processes; a test that writes copies it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with _alone(folder / "finished.lock"):
        if not (folder / "finished").is_dir():
            (folder / "unfinished").mkdir()
            assert sweep(folder / "unfinished", folder / "unfinished" / "store") == 0
            (folder / "unfinished").rename(folder / "finished")
    return folder / "finished" / "store"


@pytest.fixture(scope="session")
def model_folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The little sweep's full model as a folder of its own; a test that writes copies it."""
    from roster import load_roster

    from rgx.model.packing import pack

    load_roster()
    out = tmp_path_factory.mktemp("models") / "distill"
    pack("little:3b/+distill", out, finished)
    return out


@pytest.fixture(scope="module")
def model(model_folder: Path) -> GestureModel:
    """The same, loaded."""
    import rgx
    from rgx.gesture.model.gesture_model import GestureModel

    return rgx.load(model_folder, GestureModel, device="cpu")
