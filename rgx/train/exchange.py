"""What the processes of one training tell each other: its start, gradients, and whether they still agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rgx.errors import DisagreeError, InputError
from rgx.shares import Step, own_number, processes, together

BY_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
T = TypeVar("T")
AGREE = 1e-3
"""How far, relative to its size, a sum over a tensor may differ between processes."""


class KeepsNothing:
    """The keeper of every process but the first, which keeps for all."""

    def load_checkpoint(self) -> None:
        """Load nothing."""

    def save_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Save nothing."""

    def checkpoint_due(self) -> bool:
        """Return that none is wanted."""
        return False

    def progress(self, done: int, total: int, **values: float | Tensor) -> None:
        """Say nothing."""

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Write nothing."""


def is_first() -> bool:
    """Return whether this process keeps what the training keeps; one that is alone does."""
    return own_number() == 0


def from_first(look: Callable[[], T]) -> T:
    """Return what the first process finds; nobody else looks."""
    if processes() == 1:
        return look()
    answers: list[T | None] = [look() if own_number() == 0 else None]
    together(dist.broadcast_object_list, answers, src=0, device=torch.device("cpu"))
    return cast(T, answers[0])


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Make each gradient its mean over all processes, in one exchange."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if processes() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    together(dist.all_reduce, flat)
    flat /= processes()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def refuse_unshared(step: Step | None) -> None:
    """Raise InputError where a step of several processes shared no rows: each would do the same work."""
    if step is not None and not step.calls:
        raise InputError(
            f"{processes()} processes are to share this training, and its losses share no rows, so that each "
            "would do all of the work: lay rgx.shares.share_rows around the networks (docs/extending.md), or "
            "bind resources.stage.gpus = 1"
        )


def refuse_batch_norm(networks: Sequence[nn.Module]) -> None:
    """Raise InputError for a layer that normalises over the rows that a process sees."""
    if processes() == 1:
        return
    for network in networks:
        for name, layer in network.named_modules():
            if isinstance(layer, BY_BATCH):
                raise InputError(
                    f"{type(layer).__name__} at {name} normalises over the rows of a batch, of which each of "
                    f"{processes()} processes sees a share: expected GroupNorm or LayerNorm, or one process"
                )


def check_agreement(state_of: Callable[[], dict[str, Tensor]]) -> None:
    """Raise DisagreeError naming the first thing in which a process differs from the first one."""
    if processes() == 1:
        return
    state = state_of()
    names = list(state)
    own, most = torch.tensor([_summary(state[name]) for name in names], dtype=torch.float64).unbind(1)
    first = own.clone()
    together(dist.broadcast, first, src=0)
    apart = ((own - first).abs() > most).double()
    together(dist.all_reduce, apart)
    if apart.any():
        raise DisagreeError(
            f"the {processes()} processes of this training no longer agree in {names[int(apart.argmax())]}: "
            "something outside share_rows draws or computes otherwise in one of them, or something inside it "
            "keeps a state"
        )


def _summary(value: Tensor) -> tuple[float, float]:
    """Return a number for a tensor's content, and how far from it that of an equal one may be."""
    if value.is_floating_point():
        value = value.detach().double()
        return float(value.sum()), AGREE * float(value.abs().sum())
    digest = hashlib.blake2b(value.cpu().numpy().tobytes(), digest_size=6).digest()
    return float(int.from_bytes(digest, "big")), 0.0
