"""Control groups on puppets whose true points are known: `python benchmarks/groups.py [--steps N]`.

First what splines can do at all: how far the best one leaves places of a bone, along it and across its width,
from where they came from, between pairs of frames; and how far a pixel of noise on both poses moves the
furthest place of the picture. Then what an animator of scale tiny makes of them in a short training: how many
splines have a share of its mask, and PSNR of held-out clips, whole and in the hand boxes, beside that of the
source frame repeated. `--row NAME LINE …` trains another row than the variants of the axis: its bindings.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from rgx.config import build_cell
from rgx.gesture.animate.base import Animator, Groups
from rgx.gesture.animate.groups import AnatomicalGroups, HybridGroups, MixedGroups
from rgx.gesture.animate.keypoints import PoseKeypoints
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.animate.tps import ThinPlateAnimator
from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.picture_file import NAME, PictureWriter
from rgx.gesture.data.picture_pairs import Pictures, PictureSpan
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.skeleton import FINGERS, KEPT, LEFT_HAND, RIGHT_HAND
from rgx.store.workspace import Inputs, Workspace
from rgx.sweep.spec import Overrides, read_sweep

SWEEP, ROW = Path("sweeps/ablation_table3.yaml"), "3a/2D-pose"
VARIANTS: dict[str, type[Groups]] = {
    "mixed": MixedGroups,
    "anatomical": AnatomicalGroups,
    "hybrid": HybridGroups,
}
PX = 128
"""Pixels of a frame of 256 in half a picture's width."""
ARMS = [(5, 7), (6, 8), (7, 9), (8, 10)]
HANDS = [
    (first[0] + chain[i], first[0] + chain[i + 1])
    for first in (LEFT_HAND, RIGHT_HAND)
    for chain in FINGERS
    for i in range(4)
]
WIDTHS = {"arms": (ARMS, 0.11), "hand bones": (HANDS, 0.0275)}
"""Bones, and half of a puppet's width there in shoulder widths."""
USED, EVERY = 0.005, 5
"""The share of a mask from which a spline counts as used; of a window every so many frames are looked at."""
Row = dict[str, str]


def true_pairs(frames: int = 40) -> tuple[Tensor, Tensor]:
    """Return the true poses of random pairs of frames, both of one clip: two of (N, 133, 2) in [−1, 1]."""
    puppets, draw = Puppets(LivelyWorld(), clip_s=6.0), np.random.default_rng(0)
    pairs = []
    for speaker in range(4):
        for index in range(2):
            true = puppets._perform("train", speaker, index)[1]
            pairs.append(true[draw.integers(0, len(true), (2, frames))])
    source, driving = (torch.from_numpy(x / PX - 1).float() for x in np.concatenate(pairs, axis=1))
    return source, driving


def along(pose: Tensor, bone: tuple[int, int], share: float) -> Tensor:
    """Return places (N, 15, 2) along a bone and across its width, a share of the shoulders'."""
    width = share * (pose[:, 5] - pose[:, 6]).norm(dim=-1)
    first, reach = pose[:, bone[0]], pose[:, bone[1]] - pose[:, bone[0]]
    across = torch.stack([-reach[:, 1], reach[:, 0]], -1) / reach.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    line = first[:, None] + torch.linspace(0, 1, 5)[:, None] * reach[:, None]
    side = torch.tensor([-1.0, 0.0, 1.0])[:, None] * (width[:, None] * across)[:, None]
    return (line[:, :, None] + side[:, None]).flatten(1, 2)


def geometry_row(name: str, source: Tensor, driving: Tensor) -> Row:
    """Return the line of a variant: errors of its best splines, and what noise does, in px of 256."""
    keypoints = PoseKeypoints(256, VARIANTS[name]())

    def splines(noise: float) -> ThinPlate:
        draw = torch.Generator().manual_seed(0)
        poses = [x + noise / PX * torch.randn(x.shape, generator=draw) for x in (driving, source)]
        points = [keypoints(None, pose[:, list(KEPT)]) for pose in poses]
        return ThinPlate.between(*points, limbs=keypoints.limbs)

    row, exact = {"groups": name}, splines(0.0)
    for what, (bones, share) in WIDTHS.items():
        best = []
        for bone in bones:
            here, there = (along(pose, bone, share) for pose in (driving, source))
            error = (exact.displacement(here) - (there - here)[:, None]).norm(dim=-1)
            best.append(float(error.mean((0, 2)).min()) * PX)
        row[f"best spline of {what}, px"] = f"{np.mean(best):.2f} (worst {max(best):.2f})"
    far = (splines(1.0).moves(24, 24) - exact.moves(24, 24)).norm(dim=-1).flatten(2).amax(2) * PX
    row["1 px of noise far away, px"] = f"{far.median():.1f} (95 %: {far.quantile(0.95):.1f})"
    return row


def corpus(folder: Path, size: int) -> Inputs:
    """Leave the pictures of four puppets as the stage `frames` does: three clips to train, one to test."""
    puppets = Puppets(LivelyWorld(), train_clips=3, dev_clips=0, test_clips=1, clip_s=6.0)
    frames = Workspace(folder, "cpu", lambda _: None)
    clips, spans, start = list(puppets.clips()), [], 0
    with PictureWriter(folder / NAME) as file:
        for clip, footage in zip(clips, puppets.footage(size), strict=True):
            file.add(footage.frames)
            span = PictureSpan(clip.name, 0, clip.split, start, len(footage.frames), (0.0, 0.0), 1.0)
            spans.append(vars(span))
            start += len(footage.frames)
    pose = torch.from_numpy(np.concatenate([clip.keypoints[:, KEPT] / PX - 1 for clip in clips])).float()
    valid = torch.from_numpy(np.concatenate([clip.valid[:, KEPT] for clip in clips]))
    frames.save_arrays({"pose": pose, "valid": valid, "ends": torch.tensor(file.ends)})
    frames.save_about({"spans": spans, "size_px": size})
    return Inputs({}, {"frames": folder})


def windows(pictures: Pictures) -> Iterator[tuple[int, Tensor]]:
    """Yield the first frame of each test clip, and frames after it."""
    for span in pictures.spans:
        if span.split == "test":
            yield span.start, torch.arange(span.start + EVERY, span.start + span.frames, EVERY)


def psnr(error: Tensor) -> float:
    """Return the mean PSNR in dB of squared errors (N,)."""
    return float(-10 * error.clamp(min=1e-10).log10().mean())


@torch.no_grad()
def measured(animator: Animator, pictures: Pictures) -> dict[str, float]:
    """Return what a trained animator makes of test clips."""
    assert isinstance(animator, ThinPlateAnimator)
    masks: list[Tensor] = []
    hook = animator.motion.register_forward_hook(lambda _, __, motion: masks.append(motion.mask.mean((2, 3))))
    whole, hands, still = [], [], []
    for start, index in windows(pictures):
        first = torch.tensor([start])
        source = (pictures.pictures(first), pictures.pose[first], pictures.valid[first])
        driving, pose, valid = pictures.pictures(index), pictures.pose[index], pictures.valid[index]
        made = animator.animate(animator.begin(*source), animator.control(driving, pose, valid)).picture
        box = hand_mask(pose, valid, (pictures.size_px, pictures.size_px))
        area = box.sum((1, 2, 3))
        for pairs, picture in ((hands, made), (still, source[0])):
            error = (picture - driving).square().mean(1, keepdim=True)
            pairs.append(((error * box).sum((1, 2, 3)) / area)[area > 0])
        whole.append((made - driving).square().mean((1, 2, 3)))
    hook.remove()
    share = torch.cat(masks).mean(0)
    return {
        "splines used": float((share[1:] >= USED).sum()),
        "of": len(share) - 1,
        "background's share": float(share[0]),
        "PSNR": psnr(torch.cat(whole)),
        "hand PSNR": psnr(torch.cat(hands)),
        "hand PSNR, source repeated": psnr(torch.cat(still)),
    }


def trained(bindings: list[str], seed: int, steps: int, inputs: Inputs, folder: Path) -> dict[str, float]:
    """Return what an animator of scale tiny is worth after a training."""
    lines = [*bindings, f"animator/training.adamw.steps = {steps}"]
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=[ROW], bindings=lines)).rows[0]
    torch.manual_seed(seed)
    cell = build_cell(row.texts, ("animator",))
    folder.mkdir()
    cell.stages["animator"].run(inputs, Workspace(folder, "cpu", lambda _: None), cell.built["animator"])
    return measured(cell.built["animator"].eval(), load_pictures(inputs, "cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=250, help="0: splines alone, no training")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--row", action="append", nargs="+", default=[], metavar="NAME [LINE]")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = {name: lines for name, *lines in given.row} or {
        name: [f"GROUPS = @groups.{name}()"] for name in VARIANTS
    }
    if not given.row:
        pairs = true_pairs()
        print(tabulate([geometry_row(name, *pairs) for name in VARIANTS], headers="keys", tablefmt="pipe"))
    if not given.steps:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "frames").mkdir()
        inputs = corpus(folder / "frames", given.size)
        for seed in map(int, given.seeds.split(",")):
            for row, lines in rows.items():
                size = f"stage.frames.size_px = {given.size}"
                scores = trained([*lines, size], seed, given.steps, inputs, folder / f"{row}.{seed}")
                shown = ", ".join(f"{what} {value:.4g}" for what, value in scores.items())
                print(f"{row}, seed {seed}: {shown}", flush=True)


if __name__ == "__main__":
    main()
