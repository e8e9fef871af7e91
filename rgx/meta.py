"""Networks as shapes: built to be checked and counted, without memory and without numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build every network inside on the meta device."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Leaves meta tensors unfilled: drawing into them would import torch's compiler for nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.init.normal_):
            return args[0] if args else kwargs["tensor"]
        drawn = torch.empty if func is torch.randn else func
        return drawn(*args, **(kwargs or {}))
