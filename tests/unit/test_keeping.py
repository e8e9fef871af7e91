"""What is held out of a training: which step is kept, and that resume and training are as without it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from test_train import Memory, Net, StoppedError
from torch import nn

from rgx.train.keeping import Best, Last, Validation, fixed_random_state
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW
from rgx.train.schedules import Constant


class Weight(nn.Module):
    """One number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(0.0))


def overfit(keep, higher: bool = False, keeper=None):
    """Train a number towards 1 where 0.5 is best on what is held out, and return it with the facts."""
    network = Weight()
    apart = lambda: float((network.value.detach() - 0.5).abs())  # noqa: E731
    measure = lambda: {"score": -apart() if higher else apart()}  # noqa: E731
    settings = AdamW(
        steps=100, batch=1, learning_rate=0.01, schedule=Constant(), keep=keep, validate_every=0.01
    )
    losses = lambda: {"loss": (1 - network.value).square()}  # noqa: E731
    facts = fit(
        network, losses, settings, keeper or Memory(), validation=Validation(measure, "score", higher)
    )
    return float(network.value.detach()), facts


@pytest.mark.parametrize("higher", [False, True])
def test_of_an_overfit_the_best_step_is_left_and_not_the_last(higher: bool) -> None:
    keeper = Memory()
    value, facts = overfit(Best(), higher, keeper)
    assert value == pytest.approx(0.5, abs=0.01)
    assert 45 <= facts["kept_step"] <= 56
    assert abs(facts["dev_score"]) < 0.01
    assert keeper.metrics[facts["kept_step"]]["dev_score"] == facts["dev_score"]
    scores = [abs(values["dev_score"]) for values in keeper.metrics.values()]
    assert min(scores) == abs(facts["dev_score"]) < scores[-1]


def test_the_last_step_may_be_asked_for() -> None:
    value, facts = overfit(Last())
    assert value > 0.7
    assert facts["kept_step"] == 100
    assert facts["dev_score"] == pytest.approx(value - 0.5)


def test_of_equal_steps_the_first_is_left_and_what_is_no_number_never_is() -> None:
    assert not Best().prefers(1.0, 1.0)
    scores = iter([float("nan"), 3.0, float("nan"), 3.0])
    network = Weight()
    settings = AdamW(steps=4, batch=1, keep=Best(), validate_every=0.25)
    held_out = Validation(lambda: {"score": next(scores)}, "score")
    facts = fit(network, lambda: {"loss": network.value.square()}, settings, Memory(), validation=held_out)
    assert (facts["kept_step"], facts["dev_score"]) == (2, 3.0)


def held_out_of(network: Net) -> Validation:
    """Return a validation that draws from every stream."""

    def measure():
        assert not network.training and not torch.is_grad_enabled()
        drawn = network.losses()["fit"]
        return {"fit": drawn, "drawn": random.random() + float(np.random.rand()) + float(torch.rand(()))}

    return Validation(measure, "fit")


def trained(keeper, stop=None, keep=None, held_out=True):
    """Train a network with dropout and codes, and return it with its facts."""
    network, calls = Net(), []

    def losses():
        calls.append(1)
        if len(calls) == stop:
            raise StoppedError
        return network.losses()

    settings = AdamW(
        steps=9, batch=3, learning_rate=1e-2, keep=keep or Best(), validate_every=0.3, checkpoint_every=1
    )
    return network, fit(
        network, losses, settings, keeper, validation=held_out_of(network) if held_out else None
    )


@pytest.mark.parametrize("stop", range(2, 10))
def test_a_training_stopped_at_any_step_leaves_the_same(stop: int) -> None:
    torch.manual_seed(0)
    whole = Memory()
    expected, facts = trained(whole)
    torch.manual_seed(0)
    again = Memory()
    with pytest.raises(StoppedError):
        trained(again, stop)
    assert int(again.state["step"]) == stop - 1
    torch.manual_seed(77)
    resumed, same = trained(again)
    assert same == facts
    assert all(torch.equal(v, resumed.state_dict()[k]) for k, v in expected.state_dict().items())
    assert again.metrics == whole.metrics
    assert again.state.keys() == whole.state.keys()
    assert all(torch.equal(v, again.state[k]) for k, v in whole.state.items())


def test_a_training_that_had_ended_says_and_leaves_what_it_had() -> None:
    torch.manual_seed(0)
    keeper = Memory()
    expected, facts = trained(keeper)
    torch.manual_seed(5)
    again, same = trained(keeper, stop=1)
    assert same == facts
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in expected.state_dict().items())


def test_what_is_held_out_changes_no_draw_of_the_training() -> None:
    torch.manual_seed(0)
    without, keeper = trained(Memory(), held_out=False)[0], Memory()
    torch.manual_seed(0)
    with_it, _ = trained(keeper, keep=Last())
    assert all(torch.equal(v, with_it.state_dict()[k]) for k, v in without.state_dict().items())
    drawn = [values["dev_drawn"] for values in keeper.metrics.values() if "dev_drawn" in values]
    # Its own state begins anew at each look.
    assert len(drawn) == 3 and len(set(drawn)) == 1


def test_streams_go_on_as_if_nothing_had_been_drawn() -> None:
    def draws():
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = draws()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    with fixed_random_state(on_gpu=False):
        assert draws() != expected
    assert draws() == expected
