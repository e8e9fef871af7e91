"""A worker with other code than was planned with names its node and the modules, and imports nothing."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from rgx.errors import InputError
from rgx.plugins import load_plugin
from rgx.run.same_code import code_of_runs, refuse_other_code
from rgx.store.source import source_digest


@pytest.fixture
def message(tmp_path: Path) -> dict[str, Any]:
    """What a worker is told of a stage of a package with one helper, and of a single file."""
    package = tmp_path / "kept_apart"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "loss.py").write_text("from kept_apart.help import half\nraise SystemExit('imported')\n")
    (package / "help.py").write_text("def half(x):\n    return x / 2\n")
    plugins = [("my_variants", "WIDTH = 3\n")]
    code = source_digest(
        "kept_apart.loss", "my_variants", sources=dict(plugins), roots={"kept_apart": tmp_path}
    )
    methods = [{"name": "kept_apart", "folder": str(tmp_path), "digest": ""}]
    return {"methods": methods, "plugins": plugins, "code": code}


def test_the_same_code_is_let_pass_and_so_is_a_comment(message: dict[str, Any], tmp_path: Path) -> None:
    refuse_other_code(message)
    help_file = tmp_path / "kept_apart" / "help.py"
    help_file.write_text(f"# half of it\n{help_file.read_text()}")
    refuse_other_code(message)
    assert "kept_apart" not in sys.modules


def test_a_changed_helper_is_named_with_the_node_and_its_folder(
    message: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "kept_apart" / "help.py").write_text("def half(x):\n    return 0 * x\n")
    node = f"^node {socket.gethostname()} has other code than the sweep was planned with, in {tmp_path}"
    with pytest.raises(InputError, match=f"{node}: kept_apart.help; every node needs"):
        refuse_other_code(message)


def test_what_is_not_there_at_all_is_named(message: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "kept_apart").rename(tmp_path / "gone")
    with pytest.raises(InputError, match="planned with: kept_apart.help, kept_apart.loss;"):
        refuse_other_code(message)


def test_a_single_file_that_this_process_has_run_is_no_package(message: dict[str, Any]) -> None:
    load_plugin(*message["plugins"][0])
    try:
        refuse_other_code(message)
    finally:
        del sys.modules["my_variants"]


def test_another_text_of_a_single_file_is_named(message: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="planned with: my_variants;"):
        refuse_other_code({**message, "plugins": [("my_variants", "WIDTH = 4\n")]})


def test_what_runs_a_stage_is_part_of_its_code() -> None:
    code = code_of_runs({"of nothing": {}})["of nothing"]
    assert {"rgx.run.worker", "rgx.store.checkpoints", "rgx.config"} <= code.keys()
    assert not [name for name in code if name.startswith("rgx.gesture")]
