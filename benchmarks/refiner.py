"""A frame of each refiner over S2G-Diffusion's U-Net: `python benchmarks/refiner.py [--rounds 5] [--train]`.

Paper sizes, 256 px, one picture, one thread, random weights. All are run in turn in this process; a figure is
the median over the rounds of the ratio of processor times. What a refiner draws of the pose is part of its
time. S2G's side has that network's layers and shapes and nothing else: eight halvings, batch normalisation in
evaluation, two residual blocks at half size and two at full size. --train: a step of L1, forwards and
backwards, instead of a frame.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.refine.refiners import EdgeHeatmapRefiner, PlainRefiner, SkeletonRefiner
from rgx.gesture.refine.structure import WeightedEdges
from rgx.gesture.skeleton import KEPT

SIZE = 256
INPUTS, OUTPUTS = 4, 3
"""The warped picture and what of it is not to be trusted; the picture."""
WIDTHS = (64, 128, 256, 512, 512, 512, 512, 512)
"""Of S2G's eight halvings."""


class ResidualPair(nn.Module):
    """Two convolutions with reflected edges and batch normalisation, beside a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = (nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.BatchNorm2d(channels))
        again = (nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.BatchNorm2d(channels))
        self.layers = nn.Sequential(*half, nn.ReLU(), *again)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class S2GUNet(nn.Module):
    """S2G-Diffusion's third stage: 54.85 million parameters, 20.8 GMAC at 256 px."""

    def __init__(self) -> None:
        super().__init__()
        outs = (WIDTHS[0], *WIDTHS[:-1])
        steps = list(zip((INPUTS, *WIDTHS), WIDTHS, strict=False))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False) for a, b in steps)
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(b) for b in WIDTHS[1:-1])
        # All but the lowest see what was skipped beside what comes up.
        wide = [*(2 * w for w in WIDTHS[:-1]), WIDTHS[-1]]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=False)
            for a, b in zip(wide, outs, strict=True)
        )
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(b) for b in outs)
        self.at_half = nn.Sequential(ResidualPair(WIDTHS[0]), ResidualPair(WIDTHS[0]))
        self.at_full = nn.Sequential(ResidualPair(WIDTHS[0]), ResidualPair(WIDTHS[0]))
        self.last = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(WIDTHS[0], OUTPUTS, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for level, down in enumerate(self.down):
            x = down(F.leaky_relu(x, 0.2) if level else x)
            if 0 < level < len(WIDTHS) - 1:
                x = self.down_norm[level - 1](x)
            seen.append(x)
        for level in reversed(range(len(WIDTHS))):
            both = x if level == len(WIDTHS) - 1 else torch.cat([x, seen[level]], dim=1)
            x = self.up_norm[level](self.up[level](F.relu(both)))
            if level == 1:
                x = self.at_half(x)
        return self.last(self.at_full(torch.tanh(x)))


def frames() -> dict[str, tuple[nn.Module, Callable[[], Tensor]]]:
    """Return every network with how it makes one frame, S2G's first."""
    puppets = Puppets(PlainWorld(), speakers=1, train_clips=1, dev_clips=0, test_clips=0, clip_s=4.0)
    clip = next(iter(puppets.clips()))
    pose = torch.from_numpy(clip.keypoints[:1, KEPT] / 128 - 1).float()
    valid = torch.from_numpy(clip.valid[:1, KEPT])
    picture, trusted = torch.rand(1, OUTPUTS, SIZE, SIZE), torch.rand(1, 1, SIZE, SIZE)
    s2g = S2GUNet().eval()
    both = torch.cat([picture, 1 - trusted], dim=1)
    made: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {"S2G's U-Net": (s2g, partial(s2g, both))}
    for name, refiner in (
        ("unet", PlainRefiner(SIZE)),
        ("skeleton", SkeletonRefiner(SIZE)),
        ("edge_heatmap", EdgeHeatmapRefiner(SIZE, WeightedEdges)),  # type: ignore[arg-type]
    ):
        made[name] = (refiner.eval(), partial(refiner, picture, trusted, pose, valid))
    return made


def stepped(frame: Callable[[], Tensor]) -> None:
    """Take a frame and the gradients of its L1."""
    frame().abs().mean().backward()


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of doing it once."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print parameters, GMAC, and processor time beside S2G's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = frames()
    gmac = {}
    with torch.set_grad_enabled(arguments.train):
        for name, (_, frame) in networks.items():
            with FlopCounterMode(display=False) as counter:
                frame()
            gmac[name] = counter.get_total_flops() / 2e9
        works = {name: partial(stepped, f) if arguments.train else f for name, (_, f) in networks.items()}
        rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(arguments.rounds)]
    rows = []
    for name, (network, _) in networks.items():
        parameters = sum(p.numel() for p in network.parameters()) / 1e6
        ratios = [times[name] / times["S2G's U-Net"] for times in rounds]
        spent = statistics.median(times[name] for times in rounds)
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        rows.append((name, f"{parameters:.2f}", f"{gmac[name]:.1f}", f"{spent:.2f}", spread))
    print(tabulate(rows, headers=("network", "parameters (M)", "GMAC", "CPU s", "over S2G's")))


if __name__ == "__main__":
    main()
