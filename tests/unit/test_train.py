"""The training loop: resume, losses that are not finite, the learning rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rgx.errors import InputError, NotFiniteError
from rgx.gesture.tokens.residual_vq import ResidualVQ
from rgx.train.loop import Opponent, fit
from rgx.train.optimiser import AdamW, Optimiser
from rgx.train.schedules import Constant, Multistep, MultistepAt

torch.set_num_threads(1)


class Memory:
    """A keeper that holds its checkpoint in memory."""

    def __init__(self):
        self.state, self.metrics, self.seen = None, {}, []

    def load_checkpoint(self):
        return self.state

    def checkpoint_due(self):
        return False

    def save_checkpoint(self, state):
        self.state = {k: v.clone() for k, v in state.items()}

    def progress(self, done, total, **values):
        self.seen.append((done, total))

    def append_metrics(self, step, values):
        self.metrics[step] = dict(values)


class Net(nn.Module):
    """Dropout, buffers that learn, and a part that trains more slowly."""

    def __init__(self):
        super().__init__()
        self.slow, self.drop, self.out = nn.Linear(4, 4), nn.Dropout(0.3), nn.Linear(4, 1)
        self.quantizer = ResidualVQ(4, codes=8, layers=2, decay=0.8)

    def losses(self):
        found = self.quantizer(self.slow(torch.randn(3, 5, 4)))
        return {"fit": self.out(self.drop(found.output)).square().mean(), "commitment": found.commitment}


class StoppedError(Exception):
    pass


def run(network, keeper, training, stop=None, losses=None):
    calls = 0

    def step():
        nonlocal calls
        calls += 1
        if calls == stop:
            raise StoppedError
        return network.losses() if losses is None else losses(calls, network)

    return fit(network, step, training, keeper, slower=[(network.slow, 0.1)])


def training(**given):
    return AdamW(**{"steps": 8, "batch": 3, "learning_rate": 1e-2, "checkpoint_every": 3} | given)


def test_resumed_run_equals_the_uninterrupted_one_bit_for_bit():
    torch.manual_seed(0)
    whole, keeper = Net(), Memory()
    values = run(whole, keeper, training())
    random = torch.get_rng_state()

    torch.manual_seed(0)
    cut, again = Net(), Memory()
    with pytest.raises(StoppedError):
        run(cut, again, training(), stop=6)
    assert int(again.state["step"]) == 3
    torch.manual_seed(99)
    resumed = Net()
    torch.manual_seed(123)
    assert run(resumed, again, training()) == values
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert torch.equal(torch.get_rng_state(), random)
    assert keeper.metrics == again.metrics
    assert keeper.state.keys() == again.state.keys()
    assert all(torch.equal(v, again.state[k]) for k, v in keeper.state.items())


def test_finished_run_is_left_as_it_is():
    torch.manual_seed(0)
    network, keeper = Net(), Memory()
    run(network, keeper, training(steps=6))
    assert not network.training
    assert keeper.seen == [(n, 6) for n in range(1, 7)]
    other = Net()
    run(other, keeper, training(steps=6), losses=lambda *_: pytest.fail("trained further"))
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in network.state_dict().items())


def test_slower_modules_learn_at_their_share():
    torch.manual_seed(0)
    network = Net()
    before = {k: v.detach().clone() for k, v in network.named_parameters()}
    run(network, Memory(), training(steps=1, schedule=Constant(), weight_decay=0.0))
    moved = {k: float((v.detach() - before[k]).abs().max()) for k, v in network.named_parameters()}
    # The first step of Adam is the learning rate, whatever the gradient's size.
    assert moved["out.bias"] == pytest.approx(1e-2, rel=1e-2)
    assert moved["slow.weight"] == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_names_the_step_and_the_checkpoint(bad):
    def losses(calls, network):
        return {"fit": network.losses()["fit"] * (bad if calls == 5 else 1.0)}

    torch.manual_seed(0)
    keeper = Memory()
    with pytest.raises(NotFiniteError, match=r"at step 5; the checkpoint of step 3 is kept"):
        run(Net(), keeper, training(), losses=losses)
    assert int(keeper.state["step"]) == 3
    with pytest.raises(NotFiniteError, match=r"at step 5; no checkpoint had been written"):
        run(Net(), Memory(), training(checkpoint_every=100), losses=losses)


def test_learning_rate_by_hand():
    rate = AdamW(steps=100, learning_rate=1.0, schedule=Multistep(0.1, (0.6, 0.85), 0.2)).rate
    found = [rate(step, 100) for step in (0, 4, 9, 59, 60, 84, 85, 99)]
    assert found == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.2, 0.2, 0.04, 0.04])
    assert AdamW(steps=10, learning_rate=1.0, schedule=Multistep(0.0, ())).rate(0, 10) == 1.0


@pytest.mark.parametrize("name", ["steps", "batch", "learning_rate"])
def test_numbers_that_must_be_positive(name):
    with pytest.raises(InputError, match=f"training.adamw.{name} = 0"):
        AdamW(**{name: 0})


class Duel(nn.Module):
    """A weight that is pulled one way by its own loss and another by its opponent."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))


def duel(keeper, stop=None):
    torch.manual_seed(0)
    maker, critic, calls, seen = Duel(), Duel(), [], {}

    def make():
        calls.append(1)
        if len(calls) == stop:
            raise StoppedError
        seen["fake"] = (maker.weight * torch.randn(())).detach()
        return {"make": (critic.weight * maker.weight - 1).square()}

    def criticise():
        return {"criticise": (critic.weight - seen["fake"]).square()}

    opponent = Opponent(critic, criticise, Optimiser(learning_rate=1e-1))
    values = fit(maker, make, training(steps=8), keeper, opponents=[opponent])
    return maker, critic, values


def test_an_opponent_steps_after_each_step_on_its_own_losses_and_resumes_with_it():
    maker, critic, values = duel(Memory())
    assert set(values) == {"make", "criticise"}
    again = Memory()
    with pytest.raises(StoppedError):
        duel(again, stop=6)
    resumed, rival, same = duel(again)
    assert same == values
    assert torch.equal(maker.weight, resumed.weight)
    assert torch.equal(critic.weight, rival.weight)


def test_a_step_never_uses_the_gradient_its_opponent_was_left_with():
    torch.manual_seed(0)
    maker, critic = Duel(), Duel()
    still = training(steps=1, learning_rate=1e-1, weight_decay=0.0)
    opponent = Opponent(critic, lambda: {"none": 0 * critic.weight}, Optimiser(weight_decay=0.0))
    fit(maker, lambda: {"make": critic.weight * maker.weight}, still, Memory(), opponents=[opponent])
    assert float(critic.weight.detach()) == 2.0
    assert float(maker.weight.detach()) < 2.0


def test_an_opponent_learns_by_the_clock_of_its_player():
    rates: list[float] = []
    maker, critic = Duel(), Duel()

    class Noted(Multistep):
        def share(self, step, steps):
            rates.append(super().share(step, steps))
            return rates[-1]

    opponent = Opponent(
        critic, lambda: {"pull": critic.weight.square()}, Optimiser(schedule=Noted(0.0, (0.5,)))
    )
    player = training(steps=6, schedule=Constant())
    fit(maker, lambda: {"make": maker.weight.square()}, player, Memory(), opponents=[opponent])
    assert rates == pytest.approx([1.0, 1.0, 1.0, 0.2, 0.2, 0.2])
    short = Optimiser(schedule=MultistepAt(warmup_steps=2, milestones=(6,)))
    with pytest.raises(
        InputError, match=r"milestones = \(6,\): the training has 6 steps, and never comes so"
    ):
        fit(maker, lambda: {}, player, Memory(), opponents=[Opponent(critic, lambda: {}, short)])
