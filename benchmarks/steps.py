"""The motion half's steps over MoMask's: `python benchmarks/steps.py [--rounds 5] [--batch 4 16]`.

Both sides run in turn in this process, on one thread, at the paper's sizes, on random tensors; a figure is
the median over the rounds of the ratio of processor times. MoMask's side has that model's layers and shapes,
its loss and its optimiser, and nothing else: a masked and a residual transformer over 42 tokens and one of
text. Also counted: the operators that a step's losses and gradients launch, views left out, which is what a
GPU waits for; and what is left of ours where the networks are captured (`resources.stage.compile`), each
graph as one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from rgx.gesture.align.contrastive import ContrastiveAlignment
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.decode import IterativeDecoding, choose
from rgx.gesture.generate.fusion import CrossAttention
from rgx.gesture.generate.mask_ratio import UniformRatio
from rgx.gesture.generate.masked import MaskedGenerator
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.residual import PrefixTokenResidual
from rgx.gesture.generate.speaker_style import AdaptiveInstanceNorm
from rgx.gesture.generate.trunk_blocks import PaperTrunk
from rgx.gesture.skeleton import KEPT
from rgx.gesture.tokens.parts import SeparateParts
from rgx.gesture.tokens.residual_vq import ResidualVQ
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import PREFIX_FRAMES, WINDOW_FRAMES, Batch

FEATURES, SPEAKERS, TEXT = 130, 4, 512
"""Speech features a frame (mel and beats), speakers, and the width of MoMask's text."""
WIDTH, CODE, CODES, TOKENS, LAYERS = 384, 512, 512, 42, 4
"""MoMask's width, its codebook, the tokens of a window (two streams with a condition each), quantizers."""


GRAPH = "captured graph"
NO_WORK = {
    *("alias", "as_strided", "as_strided_", "chunk", "contiguous", "detach", "empty", "empty_like", "expand"),
    *(
        "flatten",
        "narrow",
        "permute",
        "reshape",
        "resize_",
        "resolve_conj",
        "select",
        "slice",
        "split",
        "squeeze",
    ),
    *("split_with_sizes", "t", "transpose", "unbind", "unflatten", "unsqueeze", "view", "_reshape_alias"),
    *("empty_strided", "expand_as", "to", "view_as", "_unsafe_view", "result_type", "is_nonzero", "item"),
}
"""Operators that look at memory or reserve it and compute nothing."""


SHARE = 0.25
DECODED = f", motion of {SHARE:.0%} decoded"
"""A row more: the generator's step where the motion of a share of the windows is decoded for its loss."""


class Reference(nn.Module):
    """The layers of MoMask's masked transformer (`tables` 1) and of its residual one (a table a layer)."""

    def __init__(self, tables: int = 1) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(tables, CODES + 2, CODE))
        self.inward, self.text = nn.Linear(CODE, WIDTH), nn.Linear(TEXT, WIDTH)
        self.number = nn.Embedding(tables, WIDTH) if tables > 1 else None
        layer = nn.TransformerEncoderLayer(WIDTH, 6, 1024, 0.2, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 8, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.LayerNorm(WIDTH))
        self.out = nn.Linear(WIDTH, CODES if self.number is None else CODE)

    def forward(self, tokens: Tensor, text: Tensor, layer: int = 0) -> Tensor:
        """Return logits (B, N, V) of the next layer from tokens (B, N, Q) of those up to it."""
        embedded = torch.stack([self.codes[q][tokens[..., q]] for q in range(tokens.shape[-1])]).sum(0)
        first = [self.text(text)[None]]
        if self.number is not None:
            first.append(self.number.weight[layer].expand_as(first[0]))
        x = torch.cat([*first, self.inward(embedded).transpose(0, 1)])
        padding = torch.zeros(x.shape[1], x.shape[0], dtype=torch.bool)
        y = self.out(self.head(self.layers(x, src_key_padding_mask=padding)[len(first) :])).transpose(0, 1)
        return y if self.number is None else y @ self.codes[layer, :CODES].T

    def losses(self, tokens: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Return its one loss: of the masked tokens, or of a layer drawn."""
        layer = int(torch.randint(1, LAYERS, ())) if self.number is not None else 0
        hidden = torch.rand(tokens.shape[:2]) < 0.64
        seen = tokens[..., :layer] if layer else tokens[..., :1].masked_fill(hidden[..., None], CODES + 1)
        target = tokens[..., layer] if layer else tokens[..., 0].masked_fill(~hidden, -1)
        logits = self(seen, text, layer).transpose(1, 2)
        return {"tokens": F.cross_entropy(logits, target, ignore_index=-1)}


class Operators(TorchDispatchMode):
    """Counts the operators that are launched while it is on, views left out."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Torch does not call this one a view: nothing else may look at what it looks at.
        self.count += not func.is_view and func is not torch.ops.aten._unsafe_view.default
        return func(*args, **(kwargs or {}))


def ours() -> tuple[Tokenizer, MaskedGenerator, PrefixTokenResidual]:
    """Return the tokenizer, frozen, and both generators at the paper's sizes with random weights."""
    tokenizer = Tokenizer(SeparateParts(), ResidualVQ, width=512, depth=3).eval().requires_grad_(False)

    def trunk(content: int, speakers: int) -> PaperTrunk:
        return PaperTrunk(content, speakers, CrossAttention, AdaptiveInstanceNorm)

    def speech() -> nn.ModuleDict:
        return ContrastiveAlignment(FEATURES).speech

    masked = MaskedGenerator(tokenizer, speech(), SPEAKERS, trunk, UniformRatio())
    return tokenizer, masked, PrefixTokenResidual(tokenizer, speech(), SPEAKERS, trunk)


def windows(size: int, tokenizer: Tokenizer) -> Batch:
    """Return random windows, tokenised as a stage does it before it trains."""
    batch = Batch(
        motion=torch.randn(size, WINDOW_FRAMES, len(KEPT), 2),
        valid=torch.ones(size, WINDOW_FRAMES, len(KEPT), dtype=torch.bool),
        speech=torch.randn(size, WINDOW_FRAMES, FEATURES),
        beats=torch.rand(size, WINDOW_FRAMES) < 0.1,
        prefix=torch.randn(size, PREFIX_FRAMES, len(KEPT), 2),
        prefix_valid=torch.ones(size, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.randint(SPEAKERS, (size,)),
        clip=torch.arange(size),
    )
    batch.tokens = tokenizer.window_tokens(batch)
    return batch


def gradients(network: nn.Module, losses: Callable[[], dict[str, Tensor]]) -> Callable[[], None]:
    """Return a call that takes the losses and their gradients, and no step."""

    def take() -> None:
        network.zero_grad(set_to_none=True)
        torch.stack(list(losses().values())).sum().backward()

    return take


def step(network: nn.Module, losses: Callable[[], dict[str, Tensor]], fused: bool) -> Callable[[], None]:
    """Return one training step, as `rgx.train.loop.fit` takes it or, unfused, as MoMask's loop does."""
    optimiser = torch.optim.AdamW(network.train().parameters(), lr=2e-4, fused=fused or None)

    def take() -> None:
        total = torch.stack(list(losses().values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        if fused:
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    return take


@torch.no_grad()
def reference_window(base: Reference, residual: Reference, text: Tensor) -> None:
    """Make the tokens of one window as MoMask does: 10 and 3 passes, each twice for its guidance."""
    silent, noise = torch.zeros_like(text), Noise.drawn(len(text))
    tokens = torch.full((len(text), TOKENS, 1), CODES + 1)
    for _ in range(10):
        own, none = base(tokens, text), base(tokens, silent)
        tokens = choose(none + 4 * (own - none), 1.0, 0.1, noise)[0][..., None]
    for layer in range(1, LAYERS):
        own, none = (residual(tokens, said, layer) for said in (text, silent))
        tokens = torch.cat([tokens, choose(none + 2 * (own - none), 1.0, 0.1, noise)[0][..., None]], dim=-1)


def captured(networks: Iterable[nn.Module], call: Callable[[], object]) -> int:
    """Return how many operators and graphs a call launches with these networks captured, views left out.

    Without a compiler: what it would be given runs as it is, and is counted as one.
    """

    def graph(module: nn.Module, inputs: list[Tensor]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            with record_function(GRAPH):
                return module(*given)

        return make_boxed_func(run)

    for network in networks:
        network.compile(
            backend=aot_autograd(fw_compiler=graph, bw_compiler=graph), dynamic=False, fullgraph=True
        )
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    return sum(launches(event) for event in profiled.events() if event.cpu_parent is None)


def launches(event: Any) -> int:
    """Return the operators that an event of the profiler launches: those it holds, or itself."""
    if event.name == GRAPH:
        return 1
    inner = sum(launches(child) for child in event.cpu_children)
    return inner or int(event.name.startswith("aten::") and event.name[6:] not in NO_WORK)


def ratio(ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Return the median processor ms of both and the median of their ratios, after a round uncounted."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        marks = [time.process_time()]
        for call in (ours, theirs):
            call()
            marks.append(time.process_time())
        times.append((marks[1] - marks[0], marks[2] - marks[1]))
    own, other = zip(*times[1:], strict=True)
    ratios = [a / b for a, b in times[1:]]
    return 1e3 * statistics.median(own), 1e3 * statistics.median(other), statistics.median(ratios)


def count(call: Callable[[], None]) -> int:
    """Return how many operators a call launches."""
    with Operators() as operators:
        call()
    return operators.count


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--captured", action="store_true", help="also count with the networks captured")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer, masked, residual = ours()
    pairs = {"generator": (masked, Reference()), "residual": (residual, Reference(tables=LAYERS))}
    pairs[f"generator{DECODED}"] = pairs["generator"]
    rows = []
    for size in args.batch:
        batch = windows(size, tokenizer)
        tokens = torch.randint(CODES, (size, TOKENS, LAYERS))
        text = torch.randn(size, TEXT)
        for name, (network, reference) in pairs.items():
            masked.reconstruction_share = SHARE if name.endswith(DECODED) else 1.0
            own = step(network, partial(network.losses, batch, tokenizer), fused=True)
            other = step(reference, partial(reference.losses, tokens, text), fused=False)
            loss = gradients(network, partial(network.losses, batch, tokenizer))
            other_loss = gradients(reference, partial(reference.losses, tokens, text))
            times = ratio(own, other, args.rounds)
            rows.append([f"{name}, step", size, *times, count(loss), count(other_loss)])
    batch, text = windows(1, tokenizer), torch.randn(1, TEXT)
    networks = [network.eval() for name in ("generator", "residual") for network in pairs[name]]
    decode = IterativeDecoding(steps=5)
    own = partial(networks[0].sample, batch, Inference(tokenizer, decode, networks[2]))
    other = partial(reference_window, networks[1], networks[3], text)
    rows.append(["one window", 1, *ratio(own, other, 3 * args.rounds), count(own), count(other)])
    for network in networks:
        print(f"{type(network).__name__}: {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M")
    heads = ["what", "batch", "rgx, CPU ms", "MoMask, CPU ms", "rgx / MoMask", "operators", "MoMask's"]
    print(tabulate(rows, heads, floatfmt=".2f"))
    if args.captured:  # last: what is captured sees one shape
        batch = windows(args.batch[0], tokenizer)
        networks = {"generator": (masked, tokenizer), "residual": (residual,)}
        for name, steady in networks.items():
            call = gradients(steady[0].train(), partial(steady[0].losses, batch, tokenizer))
            print(f"{name}, captured: {captured([n for s in steady for n in s.steady()], call)} launches")


if __name__ == "__main__":
    main()
