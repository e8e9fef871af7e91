"""Random numbers drawn on the CPU and used elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor


def send(drawn: Tensor, device: torch.device) -> Tensor:
    """Return on a device what was drawn on the CPU: a seed gives the same on all, and nobody waits for it."""
    if device.type == "cpu":
        return drawn
    # From pinned memory a copy is only begun here; from any other the processor would wait for the device.
    return drawn.pin_memory().to(device, non_blocking=True)
