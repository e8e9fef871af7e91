"""What a stage takes of a GPU's memory: measured where it runs, asked for where one like it is to run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from rgx.store.manifests import number, part

SHARES = (0.125, 0.25, 0.5, 1.0)
"""Of a card; few, so that an idle worker fits the next stage and that they add up, and none so small that
more stages than a card serves at a time would wait for each other."""
MARGIN = 1.25
CONTEXT_BYTES = 600e6
"""What a process takes beside its tensors, which PyTorch does not count. Source: ours, half a GB and more."""


def begin_measuring(device: str) -> None:
    """Have the peak of a device's memory count from now on; of no GPU there is none."""
    if device.startswith("cuda"):
        torch.cuda.init()  # of a device that nothing has used yet, nothing can be counted
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_of(device: str) -> dict[str, int]:
    """Return {'peak_bytes', 'card_bytes'} since the measuring began, or nothing on no GPU."""
    if not device.startswith("cuda"):
        return {}
    card = torch.cuda.get_device_properties(device)
    return {"peak_bytes": torch.cuda.max_memory_reserved(device), "card_bytes": card.total_memory}


def share_of(manifest: Mapping[str, Any]) -> float | None:
    """Return the share of a card that a stage like a finished one is to have, or None if nothing tells."""
    memory = part(manifest, "gpu_memory")
    peak, card = number(memory.get("peak_bytes")), number(memory.get("card_bytes"))
    if not peak or not card or peak < 0 or card < 0:
        return None
    needed = (MARGIN * peak + CONTEXT_BYTES) / card
    return next((share for share in SHARES if needed <= share), SHARES[-1])


def is_of_kinds(gpu: str, kinds: Collection[str]) -> bool:
    """Return whether a GPU's name, 'NVIDIA H100 80GB HBM3', is of every kind that Ray tells, 'H100'."""
    return set(kinds) <= set(gpu.replace("-", " ").split())
