"""What rgx relies on of Ray, by name: with another Ray, what is gone is told here and not in a sweep."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "rgx").rglob("*.py"))
PUBLIC = {
    "ray": (
        *("available_resources", "cancel", "cluster_resources", "exceptions", "get", "get_gpu_ids", "init"),
        *("get_runtime_context", "is_initialized", "remote", "wait"),
    ),
    "ray.exceptions": ("AuthenticationError", "RayError", "RayTaskError"),
    "ray.tune": (
        *("Callback", "PlacementGroupFactory", "RunConfig", "TuneConfig", "Tuner", "report"),
        "with_resources",
    ),
    "ray.tune.search": ("Searcher",),
    "ray.tune.schedulers": ("AsyncHyperBandScheduler", "TrialScheduler"),
    "ray.tune.logger": ("TBXLoggerCallback",),
}
PRIVATE = {
    "ray.tune.execution.tune_controller": ("_ObjectCache",),
    "ray.tune.utils.object_cache": ("_ObjectCache",),
}
"""Tune has no setting for which idle workers it keeps."""
METHODS = {
    ("ray.tune.search", "Searcher"): ("suggest", "on_trial_complete", "set_search_properties", "FINISHED"),
    ("ray.tune", "Callback"): ("on_trial_start", "on_trial_complete", "on_trial_error"),
    ("ray.tune.schedulers", "AsyncHyperBandScheduler"): ("on_trial_add", "on_trial_result"),
    ("ray.tune.schedulers", "TrialScheduler"): ("CONTINUE",),
    ("ray.tune", "PlacementGroupFactory"): ("required_resources",),
    ("ray.tune.utils.object_cache", "_ObjectCache"): (
        *("cache_object", "pop_cached_object", "increase_max", "flush_cached_objects", "has_cached_object"),
        "num_cached_objects",
    ),
}
SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "tune/constants.py",
    "TUNE_DISABLE_SIGINT_HANDLER": "tune/constants.py",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "tune/constants.py",
    "TUNE_MAX_PENDING_TRIALS_PG": "tune/constants.py",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "tune/constants.py",
    "RAY_CHDIR_TO_TRIAL_DIR": "tune/tune.py",
    "RAY_AIR_NEW_OUTPUT": "tune/tune.py",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "_private/ray_constants.py",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "_private/accelerators/__init__.py",
    "RAY_ADDRESS": "_private/ray_constants.py",
    "RAY_AUTH_MODE": "_private/authentication/authentication_token_setup.py",
    "RAY_AUTH_TOKEN": "exceptions.py",
    "RAY_AUTH_TOKEN_PATH": "exceptions.py",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "_private/ray_constants.py",
    "RAY_TMPDIR": "_common/utils.py",
    "RAY_kill_child_processes_on_worker_exit": "_raylet.so",
    "RAY_USE_TLS": "_private/grpc_utils.py",
    "RAY_gcs_server_port_wait_time_s": "_private/node.py",
}
"""Environment variables, and the file of Ray that reads each."""


@pytest.mark.parametrize("module", [*PUBLIC, *PRIVATE])
def test_what_is_relied_on_is_there(module: str) -> None:
    there = importlib.import_module(module)
    assert [name for name in {**PUBLIC, **PRIVATE}[module] if not hasattr(there, name)] == []
    for (where, kind), names in METHODS.items():
        if where == module:
            assert [name for name in names if not hasattr(getattr(there, kind), name)] == []


def test_every_import_of_ray_is_named_here() -> None:
    known = {f"{module}.{name}" for module, names in {**PUBLIC, **PRIVATE}.items() for name in names}
    known |= {*PUBLIC, *PRIVATE}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            used = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ray":
                used = [f"{node.module}.{alias.name}" for alias in node.names]
            unknown = [one for one in used if one.split(".")[0] == "ray" and one not in known]
            assert not unknown, f"{path.relative_to(ROOT)} relies on {unknown}"


def test_every_use_of_ray_is_named_here() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = {"ray": "ray", "tune": "ray.tune"}.get(node.value.id)
                assert module is None or node.attr in PUBLIC[module], f"{path.name}: {module}.{node.attr}"


@pytest.mark.parametrize("setting", SETTINGS)
def test_ray_still_reads_the_settings_we_make(setting: str) -> None:
    import ray

    file = Path(ray.__file__).parent / SETTINGS[setting]
    # What Ray's C++ reads it names without the prefix.
    assert setting.removeprefix("RAY_" if file.suffix == ".so" else "").encode() in file.read_bytes()


def test_ray_still_keeps_the_address_of_this_machines_cluster_where_we_read_it() -> None:
    import ray

    assert "ray_current_cluster" in (ray.init.__doc__ or "")


def test_every_setting_made_is_named_here() -> None:
    source = "".join(path.read_text() for path in sorted((ROOT / "rgx" / "run").glob("*.py")))
    assert set(re.findall(r'"((?:TUNE|RAY)_\w+)"', source)) == set(SETTINGS)


def test_production_has_no_mocks() -> None:
    assert [path.name for path in MODULES if re.search(r"\bmock\b", path.read_text())] == []
