"""Pretrained weights from files: checked before use, and never unpickled blindly."""

from __future__ import annotations

import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rgx.errors import InputError

Shapes = Mapping[str, tuple[int, ...]]

UNREADABLE = (
    *(pickle.UnpicklingError, SafetensorError, EOFError, OSError),
    *(AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
)
"""What readers of tensors raise for a file that is something else: its bytes decide which."""
ENTRIES = ("state_dict", "model", "module")
"""Where checkpoints keep their weights beside other things."""
COUNTER = ".num_batches_tracked"
"""The end of the name of torch's count of steps, which some files hold and nothing here reads."""


def required(path: str, where: str, what: str, otherwise: str) -> str:
    """Return the path that `where` names; raises InputError for an empty one."""
    if not path:
        raise InputError(f"{where} = '': expected the path of {what}; without it {otherwise}")
    return path


def read_state(path: str, expected: Shapes, whole: bool = False) -> dict[str, Tensor]:
    """Return the expected tensors of a .pth or .safetensors file, float32 on the CPU.

    whole: the file holds them and no others, be it in a checkpoint's entry for them. Raises InputError for no
    file, for one that is not of plain tensors (anything else that a pickle may hold is refused unread), and
    for a tensor that is missing, of another shape or one too many.
    """
    state = _plain(path)
    if whole:
        state = _entry(state, expected)
    if missing := [key for key in expected if key not in state]:
        lacks = f"lacks {len(missing)} of {len(expected)} weights, such as '{missing[0]}'"
        raise InputError(f"{path}: {lacks}; it holds {', '.join(map(str, list(state)[:3])) or 'none'}")
    others = [key for key in state if key not in expected and not str(key).endswith(COUNTER)]
    if whole and others:
        raise InputError(
            f"{path}: holds {len(others)} weights beside the {len(expected)} expected, such as '{others[0]}'"
        )
    for key, shape in expected.items():
        value = state[key]
        stored = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if stored != shape:
            raise InputError(f"{path}: '{key}' has shape {stored}, expected {shape}")
    return {key: state[key].detach().float() for key in expected}


def is_script(path: str) -> bool:
    """Return whether a file is of TorchScript, by what its archive holds; raises InputError for no file."""
    file = _file(path)
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def load_script(path: str, takes: Sequence[str] = ()) -> torch.jit.ScriptModule:
    """Return a TorchScript network on the CPU, set to evaluation.

    takes: the named arguments its forward must know. Raises InputError for no file or another one.
    """
    file = _file(path)
    try:
        with torch.device("cpu"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            script = torch.jit.load(str(file), map_location="cpu")
        known = [argument.name for argument in script.forward.schema.arguments]
    except UNREADABLE as error:
        raise InputError(
            f"{path}: expected a TorchScript network, saved by torch.jit.save ({type(error).__name__})"
        ) from error
    if missing := [name for name in takes if name not in known]:
        raise InputError(
            f"{path}: expected a network called with {', '.join(takes)}; "
            f"its forward({', '.join(known[1:])}) lacks {', '.join(missing)}"
        )
    return script.eval()


def fingerprint_of(path: str) -> str:
    """Return the SHA-256 of a file, read again only when its time or size changed."""
    return _sha256(*_stamp(path))


def fingerprint_of_state(path: str, expected: Shapes, whole: bool = False) -> str:
    """Return the SHA-256 of a file that `read_state` accepts; raises InputError as it does."""
    _state_is_good(*_stamp(path), tuple(expected.items()), whole)
    return fingerprint_of(path)


def fingerprint_of_script(path: str, takes: Sequence[str] = ()) -> str:
    """Return the SHA-256 of a file that `load_script` accepts; raises InputError as it does."""
    _script_is_good(*_stamp(path), tuple(takes))
    return fingerprint_of(path)


def _plain(path: str) -> Mapping[str, Any]:
    """Return what a file of plain tensors holds, on the CPU."""
    file = _file(path)
    safe = file.suffix == ".safetensors"
    try:
        # Planning runs on the meta device; what is read here are real weights.
        with torch.device("cpu"), warnings.catch_warnings():
            # What torch says of a strange file while refusing it: the error below is what a user needs.
            warnings.simplefilter("ignore")
            state = load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        # The reader's own text is left out: it advises to unpickle whatever the file holds.
        raise InputError(
            f"{path}: expected plain tensors (a state dict saved as .pth, or .safetensors), "
            f"found what cannot be read as such ({type(error).__name__})"
        ) from error
    if not isinstance(state, Mapping):
        raise InputError(f"{path}: expected a state dict, found a {type(state).__name__}")
    return state


def _entry(state: Mapping[str, Any], expected: Shapes) -> Mapping[str, Any]:
    """Return the entry of a checkpoint that holds its weights, or the state itself where it does."""
    if any(key in state for key in expected):
        return state
    return next((state[key] for key in ENTRIES if isinstance(state.get(key), Mapping)), state)


def _file(path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"{path}: expected a file of pretrained weights, found {_kind(file)}")
    return file


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "no such file"


def _stamp(path: str) -> tuple[str, int, int]:
    """Return what a file's content is remembered by."""
    file = _file(path)
    status = file.stat()
    return str(file.resolve()), status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _sha256(path: str, mtime_ns: int, size: int) -> str:
    with Path(path).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# An InputError is not remembered: a file put right in the meantime is read again.
@lru_cache(maxsize=64)
def _state_is_good(
    path: str, mtime_ns: int, size: int, expected: tuple[tuple[str, tuple[int, ...]], ...], whole: bool
) -> None:
    read_state(path, dict(expected), whole)


@lru_cache(maxsize=64)
def _script_is_good(path: str, mtime_ns: int, size: int, takes: tuple[str, ...]) -> None:
    load_script(path, takes)
