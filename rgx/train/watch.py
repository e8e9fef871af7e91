"""The watch over losses that are not finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rgx.errors import NotFiniteError


class Watch:
    """Which step's loss was the first not to be finite; asked now and then, so that no step waits for it."""

    def __init__(self) -> None:
        self.first: Tensor | None = None
        self.value: Tensor | None = None

    def see(self, step: int, total: Tensor) -> None:
        """Look at the loss of a step without reading it."""
        here = torch.where(total.isfinite(), math.inf, float(step))
        if self.first is None or self.value is None:
            self.first, self.value = here, total
            return
        self.value = torch.where(here < self.first, total, self.value)
        self.first = torch.minimum(self.first, here)

    def check(self, saved: int) -> None:
        """Raise NotFiniteError for the first step whose loss was not finite; saved: the last checkpoint's."""
        if self.first is None or self.value is None:
            return
        if math.isfinite(first := float(self.first)):
            resumable = f"the checkpoint of step {saved} is kept"
            checkpoint = resumable if saved else "no checkpoint had been written"
            raise NotFiniteError(f"the loss became {float(self.value)} at step {first:.0f}; {checkpoint}")
