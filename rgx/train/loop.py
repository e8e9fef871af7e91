"""The one training loop: steps, checkpoints, resume; knows no stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from rgx.errors import NotFiniteError
from rgx.train.optimiser import AdamW


class Keeper(Protocol):
    """Where a training run keeps its checkpoint and says how far it is."""

    def load_checkpoint(self) -> dict[str, Tensor] | None: ...

    def save_checkpoint(self, state: Mapping[str, Tensor]) -> None: ...

    def progress(self, done: int, total: int, **values: float) -> None: ...

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None: ...


def fit(
    network: nn.Module,
    losses: Callable[[], dict[str, Tensor]],
    training: AdamW,
    keeper: Keeper,
    slower: Sequence[tuple[nn.Module, float]] = (),
) -> dict[str, float]:
    """Minimise the sum of `losses()` over the network's parameters and return the last step's values.

    slower: modules trained at a share of the learning rate. Continues from the keeper's
    checkpoint exactly where it stopped, random state included; raises NotFiniteError.
    """
    groups = _groups(network, slower)
    optimiser = torch.optim.AdamW(
        [{"params": params} for params, _ in groups],
        betas=training.betas,
        weight_decay=training.weight_decay,
    )
    start = _restore(network, optimiser, keeper.load_checkpoint())
    network.train()
    saved, values = start, {}
    for step in range(start, training.steps):
        for group, (_, share) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = share * training.rate(step)
        found = losses()
        total = torch.stack(list(found.values())).sum()
        if not math.isfinite(float(total.detach())):
            kept = f"the checkpoint of step {saved} is kept" if saved else "no checkpoint had been written"
            raise NotFiniteError(f"the loss became {float(total.detach())} at step {step + 1}; {kept}")
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        optimiser.step()
        done = step + 1
        if done % max(1, training.steps // 100) == 0 or done == training.steps:
            values = {name: float(value.detach()) for name, value in found.items()}
            keeper.append_metrics(done, values)
        if done % training.checkpoint_every == 0:
            keeper.save_checkpoint(_state(network, optimiser, done))
            saved = done
        keeper.progress(done, training.steps, loss=float(total.detach()))
    network.eval()
    return values


def _groups(
    network: nn.Module, slower: Sequence[tuple[nn.Module, float]]
) -> list[tuple[list[nn.Parameter], float]]:
    apart = {id(p) for module, _ in slower for p in module.parameters()}
    main = [p for p in network.parameters() if p.requires_grad and id(p) not in apart]
    rest = [([p for p in module.parameters() if p.requires_grad], share) for module, share in slower]
    return [(main, 1.0), *[(params, share) for params, share in rest if params]]


def _state(network: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Tensor]:
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        state |= {f"optimiser.{index}.{slot}": torch.as_tensor(v) for slot, v in slots.items()}
    state["random"] = torch.get_rng_state()
    if torch.cuda.is_available():
        state["random_cuda"] = torch.cuda.get_rng_state()
    return state | {"step": torch.tensor(step)}


def _restore(network: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Tensor] | None) -> int:
    if state is None:
        return 0
    prefix = "network."
    network.load_state_dict({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("optimiser."):
            _, index, slot = name.split(".")
            slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
    torch.set_rng_state(state["random"])
    if "random_cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["random_cuda"])
    return int(state["step"])
