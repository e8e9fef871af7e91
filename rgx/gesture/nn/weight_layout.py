"""Networks in the layouts that others publish them in: a file's state dict, or TorchScript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from rgx.errors import InputError
from rgx.gesture.nn.weights import (
    Shapes,
    fingerprint_of_script,
    fingerprint_of_state,
    is_script,
    load_script,
    read_state,
)


@dataclass(frozen=True)
class Layout:
    """The layouts a network is published in, told apart by what a file holds.

    build: makes the network of which the file holds the state dict, every tensor of it and no other;
    takes: the named arguments that the forward of a TorchScript file must know, None where there is none.
    """

    build: Callable[[], nn.Module]
    takes: tuple[str, ...] | None = None

    def fingerprint(self, path: str) -> str:
        """Return the SHA-256 of a file in one of the layouts; raises InputError for any other."""
        if self.is_script(path):
            return fingerprint_of_script(path, self.takes or ())
        try:
            return fingerprint_of_state(path, self._shapes, whole=True)
        except InputError as error:
            raise self._in_neither(error) from error

    def load(self, path: str) -> nn.Module:
        """Return the network on the CPU, set to evaluation; raises InputError as `fingerprint` does."""
        if self.is_script(path):
            return load_script(path, self.takes or ())
        with torch.device("meta"):
            network = self.build()
        types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
        try:
            state = read_state(path, self._shapes, whole=True)
        except InputError as error:
            raise self._in_neither(error) from error
        # Nothing is drawn first: the tensors of the file become those of the network.
        network.load_state_dict({name: state[name].to(types[name]) for name in types}, assign=True)
        return network.eval().requires_grad_(False)

    def is_script(self, path: str) -> bool:
        """Return whether a file is the network as TorchScript; raises InputError for no file."""
        return is_script(path) and self.takes is not None

    @cached_property
    def _shapes(self) -> Shapes:
        with torch.device("meta"):
            return {name: tuple(tensor.shape) for name, tensor in self.build().state_dict().items()}

    def _in_neither(self, error: InputError) -> InputError:
        return error if self.takes is None else InputError(f"{error}; nor is it a network in TorchScript")
