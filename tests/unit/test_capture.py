"""Networks that a training may have compiled."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from test_generate import make_batch, make_generator, parts, recipe, speech, trunk

from rgx.errors import InputError
from rgx.gesture.align.contrastive import ContrastiveAlignment
from rgx.resources import Resources
from rgx.store.workspace import Workspace

__all__ = ["parts"]
torch.set_num_threads(1)


def total(network, *rest):
    torch.manual_seed(0)
    return torch.stack(list(network.losses(make_batch(), *rest).values())).sum()


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def networks(parts):
    masked, tokenizer, residual = parts
    alignment = ContrastiveAlignment(5, width=8, layers=1, heads=2, dropout=0.0, span_frames=4)
    yield from ((masked, (tokenizer,)), (residual, (tokenizer,)), (alignment, ()))
    yield make_generator("regression", None), (None,)
    old = trunk("transformer")
    yield make_generator("masked", tokenizer, trunk=old), (tokenizer,)
    yield make_generator("masked", tokenizer, trunk=trunk("letter")), (tokenizer,)
    yield recipe("residual", "transformer", trunk=old)(tokenizer, speech(), 2), (tokenizer,)


def test_what_may_be_compiled_is_one_graph_each(parts):
    """Without the compiler: only what it would be given, which raises where a network is not a whole."""
    tokenizer = parts[1]
    for network, rest in networks(parts):
        before = total(network, *rest)
        for module in (*network.steady(), *tokenizer.steady()):
            module.compile(backend="eager", fullgraph=True, dynamic=False)
        assert torch.allclose(total(network, *rest), before, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_gives_the_same_losses_and_gradients(parts, tmp_path):
    masked, tokenizer, _ = parts
    plain = total(masked, tokenizer)
    plain.backward()
    gradients = {n: p.grad.clone() for n, p in masked.named_parameters() if p.grad is not None}
    names = list(masked.state_dict())
    masked.zero_grad()
    workspace = Workspace(tmp_path, "cpu", lambda _: None, compile_mode="default")
    # One of them: each costs a compiler a quarter of a minute.
    workspace.capture([masked.trunk])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = total(masked, tokenizer)
    compiled.backward()
    assert torch.allclose(compiled, plain, atol=1e-5)
    assert list(masked.state_dict()) == names
    for name, parameter in masked.named_parameters():
        if name in gradients:
            assert torch.allclose(parameter.grad, gradients[name], atol=1e-4), name
    assert "networks compiled: default" in (tmp_path / "log.txt").read_text()
    assert workspace.notes == ["networks compiled: default"]


def test_without_a_mode_nothing_is_compiled(parts, tmp_path):
    workspace = Workspace(tmp_path, "cpu", lambda _: None)
    workspace.capture(parts[0].steady())
    assert not (tmp_path / "log.txt").exists()


def test_a_mode_that_does_not_exist_is_told_with_the_nearest():
    with pytest.raises(InputError, match="'reduce_overhead': expected one of default.*reduce-overhead"):
        Resources(compile="reduce_overhead")
