"""The one training loop: steps, checkpoints, resume; knows no stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from rgx.errors import NotFiniteError
from rgx.shares import step_shared
from rgx.train.exchange import (
    KeepsNothing,
    average_gradients,
    check_agreement,
    from_first,
    is_first,
    refuse_batch_norm,
    refuse_unshared,
)
from rgx.train.optimiser import AdamW
from rgx.train.random_state import random_state, restore_random_state


class Keeper(Protocol):
    """Where a training run keeps its checkpoint and says how far it is."""

    def load_checkpoint(self) -> dict[str, Tensor] | None: ...

    def save_checkpoint(self, state: Mapping[str, Tensor]) -> None: ...

    def checkpoint_due(self) -> bool: ...

    def progress(self, done: int, total: int, **values: float | Tensor) -> None: ...

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None: ...


@dataclass(frozen=True)
class Opponent:
    """The other player of an adversarial training: a network and its own losses, one step after each step."""

    network: nn.Module
    losses: Callable[[], dict[str, Tensor]]
    training: AdamW


def fit(
    network: nn.Module,
    losses: Callable[[], dict[str, Tensor]],
    training: AdamW,
    keeper: Keeper,
    slower: Sequence[tuple[nn.Module, float]] = (),
    opponents: Sequence[Opponent] = (),
) -> dict[str, float]:
    """Minimise the sum of `losses()` over the network's parameters and return the last step's values.

    slower: modules trained at a share of the learning rate. Continues from the keeper's
    checkpoint exactly where it stopped, random state included; raises NotFiniteError. Processes that share
    the training (`rgx.shares`) take each step together, and the first of them keeps what is kept.
    """
    players = [
        _Player(network, losses, training, slower),
        *(_Player(o.network, o.losses, o.training) for o in opponents),
    ]
    refuse_batch_norm([player.network for player in players])
    keeper = keeper if is_first() else KeepsNothing()
    start = _restore(players, from_first(keeper.load_checkpoint))
    check_agreement(partial(_state, players, start))
    for player in players:
        player.network.train()
    watch, saved, values = _Watch(), start, {}
    for step in range(start, training.steps):
        try:
            with step_shared(step) as sharing:
                terms, total = players[0].step(step, watch)
                for player in players[1:]:
                    terms |= player.step(step, watch)[0]
            refuse_unshared(sharing)
        except Exception:
            # What broke may be what a loss that was not finite has left behind some steps ago.
            watch.check(saved)
            raise
        done = step + 1
        if done % max(1, training.steps // 100) == 0 or done == training.steps:
            watch.check(saved)
            check_agreement(partial(_state, players, done))
            values = {name: float(value) for name, value in terms.items()}
            keeper.append_metrics(done, values)
        if done % training.checkpoint_every == 0 or keeper.checkpoint_due():
            watch.check(saved)
            keeper.save_checkpoint(_state(players, done))
            saved = done
        keeper.progress(done, training.steps, loss=total)
    for player in players:
        player.network.eval()
    return values


class _Player:
    """A network, its losses and its optimiser."""

    def __init__(
        self,
        network: nn.Module,
        losses: Callable[[], dict[str, Tensor]],
        training: AdamW,
        slower: Sequence[tuple[nn.Module, float]] = (),
    ) -> None:
        self.network, self.losses, self.training = network, losses, training
        self.groups = _groups(network, slower)
        self.optimiser = torch.optim.AdamW(
            [{"params": params} for params, _ in self.groups],
            betas=training.betas,
            weight_decay=training.weight_decay,
            fused=True,
        )

    def step(self, step: int, watch: _Watch) -> tuple[dict[str, Tensor], Tensor]:
        """Take one step and return the losses it was taken on, and their sum."""
        for group, (_, share) in zip(self.optimiser.param_groups, self.groups, strict=True):
            group["lr"] = share * self.training.rate(step)
        terms = self.losses()
        total = torch.stack(list(terms.values())).sum()
        watch.see(step + 1, total.detach())
        # An adversarial loss leaves gradients on its opponent: only this player's may count here.
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        average_gradients([p for params, _ in self.groups for p in params])
        nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip_norm)
        self.optimiser.step()
        return {name: loss.detach() for name, loss in terms.items()}, total.detach()


class _Watch:
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


def _groups(
    network: nn.Module, slower: Sequence[tuple[nn.Module, float]]
) -> list[tuple[list[nn.Parameter], float]]:
    apart = {id(p) for module, _ in slower for p in module.parameters()}
    main = [p for p in network.parameters() if p.requires_grad and id(p) not in apart]
    rest = [([p for p in module.parameters() if p.requires_grad], share) for module, share in slower]
    return [(main, 1.0), *[(params, share) for params, share in rest if params]]


def _state(players: Sequence[_Player], step: int) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for number, player in enumerate(players):
        state |= {f"network.{number}.{k}": v for k, v in player.network.state_dict().items()}
        for index, slots in player.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{number}.{index}.{slot}": torch.as_tensor(v) for slot, v in slots.items()}
    return state | random_state(_on_gpu(players)) | {"step": torch.tensor(step)}


def _restore(players: Sequence[_Player], state: dict[str, Tensor] | None) -> int:
    if state is None:
        return 0
    for number, player in enumerate(players):
        prefix = f"network.{number}."
        player.network.load_state_dict(
            {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        )
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith(f"optimiser.{number}."):
                _, _, index, slot = name.split(".")
                slots.setdefault(int(index), {})[slot] = value
        player.optimiser.load_state_dict({**player.optimiser.state_dict(), "state": slots})
    restore_random_state(state, _on_gpu(players))
    return int(state["step"])


def _on_gpu(players: Sequence[_Player]) -> bool:
    """Tell where the networks are; to ask for a GPU that is not ours would wake it and take its memory."""
    return any(p.is_cuda for p in players[0].network.parameters())
