"""The players of a training: each network with its losses, its optimiser and what a checkpoint has of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rgx.train.exchange import average_gradients
from rgx.train.optimiser import Optimiser

if TYPE_CHECKING:
    from rgx.train.watch import Watch


@dataclass(frozen=True)
class Opponent:
    """The other player of an adversarial training: one step of its own after each step, by the same clock."""

    network: nn.Module
    losses: Callable[[], dict[str, Tensor]]
    optimiser: Optimiser


class Player:
    """A network, its losses and its optimiser, for a training of so many steps."""

    def __init__(
        self,
        network: nn.Module,
        losses: Callable[[], dict[str, Tensor]],
        optimiser: Optimiser,
        steps: int,
        slower: Sequence[tuple[nn.Module, float]] = (),
    ) -> None:
        optimiser.schedule.check(steps)
        self.network, self.losses, self.settings, self.steps = network, losses, optimiser, steps
        self.groups = _groups(network, slower)
        self.optimiser = torch.optim.AdamW(
            [{"params": params} for params, _ in self.groups],
            betas=optimiser.betas,
            weight_decay=optimiser.weight_decay,
            fused=True,
        )

    @property
    def on_gpu(self) -> bool:
        """Tell where the network is; to ask for a GPU that is not ours would wake it and take its memory."""
        return any(p.is_cuda for p in self.network.parameters())

    def step(self, step: int, watch: Watch) -> tuple[dict[str, Tensor], Tensor]:
        """Take one step and return the losses it was taken on, and their sum."""
        for group, (_, share) in zip(self.optimiser.param_groups, self.groups, strict=True):
            group["lr"] = share * self.settings.rate(step, self.steps)
        terms = self.losses()
        total = torch.stack(list(terms.values())).sum()
        watch.see(step + 1, total.detach())
        # An adversarial loss leaves gradients on its opponent: only this player's may count here.
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        average_gradients([p for params, _ in self.groups for p in params])
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        return {name: loss.detach() for name, loss in terms.items()}, total.detach()

    def state(self, number: int) -> dict[str, Tensor]:
        """Return what a checkpoint has of the player of this number."""
        state = {f"network.{number}.{name}": value for name, value in self.network.state_dict().items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{number}.{index}.{slot}": torch.as_tensor(v) for slot, v in slots.items()}
        return state

    def restore(self, number: int, state: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint has of the player of this number."""
        prefix = f"network.{number}."
        self.network.load_state_dict(
            {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        )
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith(f"optimiser.{number}."):
                _, _, index, slot = name.split(".")
                slots.setdefault(int(index), {})[slot] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": slots})


def _groups(
    network: nn.Module, slower: Sequence[tuple[nn.Module, float]]
) -> list[tuple[list[nn.Parameter], float]]:
    apart = {id(p) for module, _ in slower for p in module.parameters()}
    main = [p for p in network.parameters() if p.requires_grad and id(p) not in apart]
    rest = [([p for p in module.parameters() if p.requires_grad], share) for module, share in slower]
    return [(main, 1.0), *[(params, share) for params, share in rest if params]]
