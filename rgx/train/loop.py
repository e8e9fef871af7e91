"""The one training loop: steps, held-out looks, checkpoints, resume; knows no stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from rgx.shares import step_shared
from rgx.train.exchange import (
    KeepsNothing,
    check_agreement,
    from_first,
    is_first,
    refuse_batch_norm,
    refuse_unshared,
)
from rgx.train.keeping import Chosen, Validation
from rgx.train.optimiser import AdamW
from rgx.train.players import Opponent, Player
from rgx.train.random_state import random_state, restore_random_state
from rgx.train.watch import Watch

__all__ = ["Keeper", "Opponent", "Validation", "fit"]

OF_LOSSES = "losses."
"""What the names of the last losses that were read begin with, in a checkpoint."""


class Keeper(Protocol):
    """Where a training run keeps its checkpoint and says how far it is."""

    def load_checkpoint(self) -> dict[str, Tensor] | None: ...

    def save_checkpoint(self, state: Mapping[str, Tensor]) -> None: ...

    def checkpoint_due(self) -> bool: ...

    def progress(self, done: int, total: int, **values: float | Tensor) -> None: ...

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None: ...


def fit(
    network: nn.Module,
    losses: Callable[[], dict[str, Tensor]],
    training: AdamW,
    keeper: Keeper,
    slower: Sequence[tuple[nn.Module, float]] = (),
    opponents: Sequence[Opponent] = (),
    validation: Validation | None = None,
) -> dict[str, float]:
    """Minimise the sum of `losses()` over the network's parameters and return the last step's values.

    slower: modules trained at a share of the learning rate. validation: what is held out, by which
    `training.keep` says of which step the network is left; its numbers at that step are returned too.
    Continues from the keeper's checkpoint exactly where it stopped, random state included; raises
    NotFiniteError. Processes that share the training (`rgx.shares`) take each step together, and the first of
    them keeps what is kept and looks at what is held out.
    """
    players = [
        Player(network, losses, training, training.steps, slower),
        *(Player(o.network, o.losses, o.optimiser, training.steps) for o in opponents),
    ]
    refuse_batch_norm([player.network for player in players])
    keeper = keeper if is_first() else KeepsNothing()
    chosen = Chosen(validation, training.keep) if validation is not None else None
    start, values = _restore(players, chosen, from_first(keeper.load_checkpoint))
    check_agreement(partial(_state, players, chosen, start, {}))
    for player in players:
        player.network.train()
    watch, saved = Watch(), start
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
        looks = chosen is not None and training.validates(done)
        if looks or done % max(1, training.steps // 100) == 0 or done == training.steps:
            watch.check(saved)
            values = {name: float(value) for name, value in terms.items()}
            check_agreement(partial(_state, players, chosen, done, {}))
            held_out = chosen.look(network, done, players[0].on_gpu) if chosen is not None and looks else {}
            keeper.append_metrics(done, values | held_out)
        if done % training.checkpoint_every == 0 or keeper.checkpoint_due():
            watch.check(saved)
            keeper.save_checkpoint(_state(players, chosen, done, values))
            saved = done
        keeper.progress(done, training.steps, loss=total)
    for player in players:
        player.network.eval()
    if chosen is None:
        return values
    chosen.leave(network)
    return values | chosen.facts()


def _state(
    players: Sequence[Player], chosen: Chosen | None, step: int, values: Mapping[str, float]
) -> dict[str, Tensor]:
    state = {"step": torch.tensor(step)} | random_state(players[0].on_gpu)
    state |= {OF_LOSSES + name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    for number, player in enumerate(players):
        state |= player.state(number)
    return state | (chosen.state() if chosen is not None else {})


def _restore(
    players: Sequence[Player], chosen: Chosen | None, state: dict[str, Tensor] | None
) -> tuple[int, dict[str, float]]:
    """Take up a checkpoint and return its step, and the last losses that were read."""
    if state is None:
        return 0, {}
    for number, player in enumerate(players):
        player.restore(number, state)
    if chosen is not None:
        chosen.restore(state)
    restore_random_state(state, players[0].on_gpu)
    losses = {n.removeprefix(OF_LOSSES): float(v) for n, v in state.items() if n.startswith(OF_LOSSES)}
    return int(state["step"]), losses
