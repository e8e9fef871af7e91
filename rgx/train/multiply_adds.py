"""How many multiply-adds work takes, as PyTorch counts them: matrix products, convolutions and attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from rgx.train.optimiser import AdamW


def count_multiply_adds(work: Callable[[], object]) -> int:
    """Return the multiply-adds of a call; what follows draws the random numbers that it draws once more."""
    # Slow to import where nothing trains.
    from torch.utils.flop_counter import FlopCounterMode

    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices), _plainly(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


@contextmanager
def _plainly() -> Iterator[None]:
    """Have nothing done as a whole by a library inside: of that the counter knows nothing."""
    fast, libraries = torch.backends.mha.get_fastpath_enabled(), (torch.backends.mkldnn, torch.backends.cudnn)
    enabled = [library.enabled for library in libraries]  # type: ignore[attr-defined]
    torch.backends.mha.set_fastpath_enabled(False)
    for library in libraries:
        library.enabled = False  # type: ignore[attr-defined]
    stance = getattr(torch.compiler, "set_stance", None)  # from torch 2.6 on
    eager = stance("force_eager") if stance is not None else nullcontext()
    try:
        with sdpa_kernel(SDPBackend.MATH), eager:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for library, before in zip(libraries, enabled, strict=True):
            library.enabled = before  # type: ignore[attr-defined]


def training_effort(
    network: nn.Module, losses: Callable[[], dict[str, Tensor]], training: AdamW
) -> dict[str, int]:
    """Return the `training_multiply_adds` of all steps, each forth and back, from one that moves nothing.

    To be asked after a training, so that nothing of it is another's for being counted.
    """
    was_training = network.training

    def step() -> None:
        torch.stack([loss for loss in losses().values() if loss.requires_grad]).sum().backward()

    # A network that trains may measure what it sees, and remember it.
    network.eval()
    count = count_multiply_adds(step)
    network.zero_grad(set_to_none=True)
    network.train(was_training)
    return {"training_multiply_adds": count * training.steps}
