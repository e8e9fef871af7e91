"""Rows shared among processes: the same numbers and gradients as in one, own draws, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from processes import in_processes
from test_train import Memory, Net, training
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import DisagreeError, InputError
from rgx.gesture.align.contrastive import contrastive_loss
from rgx.run.fork_server import FORKS
from rgx.run.worker import seed_all
from rgx.shares import share_mean, share_rows, step_shared
from rgx.train.exchange import average_gradients
from rgx.train.keeping import Best, Validation
from rgx.train.loop import Opponent, fit
from rgx.train.optimiser import AdamW

pytestmark = pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded")


class Both(NamedTuple):
    """What an encoder gives: two tensors by rows."""

    speech: Tensor
    codes: Tensor


def encode(layer: nn.Module, x: Tensor, scale: float) -> Both:
    return Both(F.normalize(scale * layer(x), dim=-1), (x > 0).any(1))


@pytest.mark.parametrize(("count", "rows"), [(2, 6), (2, 5), (3, 7), (3, 1)])
def test_a_loss_over_all_rows_and_a_mean_have_the_gradients_of_one_process(
    count: int, rows: int, tmp_path: Path
) -> None:
    """Contrastive: each row's loss has to do with every other row, and rows do not divide evenly."""

    def gradients(number: int) -> tuple[list[float], list[list[float]], list[bool]]:
        torch.manual_seed(0)
        first, second = nn.Linear(4, 3).double(), nn.Linear(3, 2).double()
        x = torch.randn(rows, 4, dtype=torch.float64)
        with step_shared(0):
            speech, codes = share_rows(encode)(first, x, scale=2.0)
            terms = {"all": contrastive_loss(speech, x[:, :3], 0.1)}
            terms |= share_mean(lambda part: {"mean": second(part).square().mean()})(speech)
            sum(terms.values()).backward()  # type: ignore[union-attr]
        parameters = [*first.parameters(), *second.parameters()]
        average_gradients(parameters)
        grads = [p.grad.flatten().tolist() for p in parameters if p.grad is not None]
        return [float(term.detach()) for term in terms.values()], grads, codes.tolist()

    (terms, grads, codes) = in_processes(1, gradients, tmp_path)[0]
    for shared in in_processes(count, gradients, tmp_path):
        assert shared[0] == pytest.approx(terms) and shared[2] == codes
        for own, expected in zip(shared[1], grads, strict=True):
            assert own == pytest.approx(expected)


def test_a_second_derivative_goes_through_shared_rows(tmp_path: Path) -> None:
    def penalty(number: int) -> list[float]:
        weight = torch.tensor([1.0, 2.0], requires_grad=True)
        x = torch.arange(6.0).reshape(3, 2).requires_grad_()
        with step_shared(0):
            y = share_rows(lambda part: (part * weight) ** 2)(x)
            (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            # Each process has that of its own rows, as often as there are processes; so has the mean.
            share_mean(lambda part: part.square().mean())(slope).backward()
        average_gradients([weight])  # type: ignore[list-item]
        assert weight.grad is not None
        return weight.grad.tolist()

    (alone,) = in_processes(1, penalty, tmp_path)
    shared = in_processes(2, penalty, tmp_path)
    assert shared[0] == shared[1]
    assert alone[0] > 0


class Shared(Net):
    """The network of the tests of `fit`, its rows shared; every process sees all rows of the codebook."""

    def losses(self) -> dict[str, Tensor]:
        quantized = self.quantizer(share_rows(self.slow)(torch.randn(3, 5, 4)))
        output = share_rows(lambda x: self.out(self.drop(x)))(quantized.output)
        return {"fit": output.square().mean(), "commitment": quantized.commitment}


class CutError(Exception):
    pass


def trained(dropout: float, keeper: Memory, stop: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(0)
    network, calls = Shared(), []
    network.drop.p = dropout

    def losses() -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == stop:
            raise CutError
        return network.losses()

    fit(network, losses, training(), keeper, slower=[(network.slow, 0.1)])
    return network.state_dict()


def lists(state: dict[str, Tensor]) -> dict[str, list[float]]:
    return {name: value.double().flatten().tolist() for name, value in state.items()}


def test_processes_train_codebooks_as_one_does_and_only_the_first_keeps(tmp_path: Path) -> None:
    def train(number: int) -> tuple[dict[str, list[float]], bool, list[int]]:
        keeper = Memory()
        state = lists(trained(0.0, keeper))
        return state, keeper.state is not None, sorted(keeper.metrics)

    (alone,) = in_processes(1, train, tmp_path)
    first, second, third = in_processes(3, train, tmp_path)
    for name, values in alone[0].items():
        assert first[0][name] == pytest.approx(values, abs=1e-4), name
    assert first[0] == second[0] == third[0]
    assert [(s, m) for _, s, m in (first, second, third)] == [(True, alone[2]), (False, []), (False, [])]


def test_a_shared_training_goes_on_exactly_dropout_included(tmp_path: Path) -> None:
    def whole_and_in_two(number: int) -> tuple[dict[str, list[float]], ...]:
        whole, keeper = lists(trained(0.3, Memory())), Memory()
        with pytest.raises(CutError):
            trained(0.3, keeper, stop=6)
        assert (keeper.state is None) == (number > 0)
        return whole, lists(trained(0.3, keeper))

    first, second = in_processes(2, whole_and_in_two, tmp_path)
    assert first[0] == first[1] == second[0] == second[1]


def test_what_is_drawn_inside_differs_by_process_and_call_and_outside_it_does_not(tmp_path: Path) -> None:
    def draw(number: int) -> tuple[list[float], list[float], float]:
        torch.manual_seed(0)
        with step_shared(3):
            inside = [share_rows(lambda x: torch.rand(len(x), 1))(torch.zeros(4, 1)) for _ in range(2)]
        return inside[0].flatten().tolist(), inside[1].flatten().tolist(), float(torch.rand(()))

    first, second = in_processes(2, draw, tmp_path)
    torch.manual_seed(0)
    assert first == second and first[2] == float(torch.rand(()))
    assert len({*first[0], *first[1]}) == 8


def test_what_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    one = training(steps=1)

    def unshared(number: int) -> None:
        network = nn.Linear(2, 1)
        fit(network, lambda: {"loss": network(torch.randn(4, 2)).mean()}, one, Memory())

    def by_batch(number: int) -> None:
        network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
        fit(network, lambda: {"loss": share_rows(network)(torch.randn(4, 2)).mean()}, one, Memory())

    def a_mean_of_rows(number: int) -> None:
        network = nn.Linear(2, 1)
        fit(
            network,
            lambda: {"loss": share_rows(lambda x: network(x).mean())(torch.ones(4, 2))},
            one,
            Memory(),
        )

    def no_mean(number: int) -> None:
        network = nn.Linear(2, 1)
        fit(network, lambda: {"loss": share_mean(network)(torch.ones(4, 2)).mean()}, one, Memory())

    def own_numbers(number: int) -> None:
        network = nn.Linear(2, 1)
        if number:
            torch.rand(())
        fit(network, lambda: {"loss": share_rows(network)(torch.randn(4, 2)).mean()}, one, Memory())

    def own_state(number: int) -> None:
        network = nn.BatchNorm1d(2)
        network.__class__ = type("Counts", (nn.Module,), {"forward": counted})
        fit(network, lambda: {"loss": share_rows(network)(torch.randn(4, 2)).mean()}, one, Memory())

    def counted(network: nn.BatchNorm1d, x: Tensor) -> Tensor:
        assert network.running_mean is not None
        network.running_mean += x.detach().mean(0)
        return x * network.weight

    def refusals(number: int) -> list[str]:
        messages = []
        for work in (unshared, by_batch, a_mean_of_rows, no_mean, own_numbers, own_state):
            seed_all(0)
            with pytest.raises((InputError, ValueError, DisagreeError)) as error:
                work(number)
            messages.append(str(error.value))
        return messages

    expected = (
        *("share no rows", "BatchNorm1d at 1 normalises over the rows", "gives tensors of ()"),
        *("gives a tensor of (2, 1), not a mean", "no longer agree in random:"),
        "no longer agree in network.0.running_mean",
    )
    for messages in in_processes(2, refusals, tmp_path):
        for message, words in zip(messages, expected, strict=True):
            assert words in message


def test_one_that_is_gone_is_told_to_the_other(tmp_path: Path) -> None:
    def leave(number: int) -> None:
        network, steps = nn.Linear(2, 1), []

        def losses() -> dict[str, Tensor]:
            steps.append(1)
            if number and len(steps) == 3:
                os._exit(1)
            return {"loss": share_rows(network)(torch.randn(4, 2)).mean()}

        fit(network, losses, training(), Memory())

    first, second = in_processes(2, leave, tmp_path)
    assert second is None
    assert first[0] == "PeerError" and "another process of the training no longer answers" in first[1]


def test_both_players_are_shared(tmp_path: Path) -> None:
    def play(number: int) -> list[list[float]]:
        torch.manual_seed(0)
        maker, critic, seen = nn.Linear(2, 2).double(), nn.Linear(2, 1).double(), {}

        def make() -> dict[str, Tensor]:
            fake = share_rows(maker)(torch.randn(5, 2, dtype=torch.float64))
            seen["fake"] = fake.detach()
            return {"make": -share_rows(critic)(fake).mean()}

        def criticise() -> dict[str, Tensor]:
            return {"criticise": share_rows(critic)(seen["fake"]).square().mean()}

        fit(maker, make, training(), Memory(), opponents=[Opponent(critic, criticise, training())])
        return [p.detach().flatten().tolist() for p in (*maker.parameters(), *critic.parameters())]

    (alone,) = in_processes(1, play, tmp_path)
    for shared in in_processes(2, play, tmp_path):
        for own, expected in zip(shared, alone, strict=True):
            assert own == pytest.approx(expected, rel=1e-9)


def test_the_first_looks_at_what_is_held_out_and_all_keep_the_same(tmp_path: Path) -> None:
    def learn(number: int) -> list[float]:
        torch.manual_seed(0)
        network, looked = nn.Linear(1, 1).double(), []
        for weight in network.parameters():
            nn.init.zeros_(weight)

        def losses() -> dict[str, Tensor]:
            return {"loss": (share_rows(network)(torch.ones(5, 1, dtype=torch.float64)) - 1).square().mean()}

        def measure() -> dict[str, float]:
            looked.append(1)
            return {"apart": abs(float(network(torch.ones(1, 1, dtype=torch.float64))) - 0.4)}

        settings = AdamW(steps=40, batch=5, learning_rate=0.05, keep=Best(), validate_every=0.025)
        facts = fit(network, losses, settings, Memory(), validation=Validation(measure, "apart"))
        weights = [float(p) for p in network.parameters()]
        return [*weights, facts["kept_step"], facts["dev_apart"], len(looked)]

    (alone,) = in_processes(1, learn, tmp_path)
    first, second = in_processes(2, learn, tmp_path)
    assert first == pytest.approx(alone, rel=1e-9)
    assert second[:-1] == pytest.approx(alone[:-1], rel=1e-9)
    assert (alone[-1], second[-1]) == (40, 0) and 1 < alone[2] < 40
