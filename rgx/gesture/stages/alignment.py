"""Speech-gesture alignment, and how well it retrieves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.align.base import Alignment
from rgx.gesture.align.chronological import disorder
from rgx.gesture.align.contrastive import recall
from rgx.gesture.data.reading import load_windows
from rgx.gesture.data.windows import Windows
from rgx.gesture.skeleton import STREAMS
from rgx.gesture.types import WINDOW_FRAMES
from rgx.gesture.validation import LOSS, held_out, load_dev
from rgx.registry import Recipe, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.keeping import Validation, fixed_random_state
from rgx.train.loop import fit
from rgx.train.multiply_adds import training_effort
from rgx.train.optimiser import AdamW

DRAWN = 4
"""Batches, and pools to retrieve from, of a look at the dev split."""


@register("stage", "alignment", label="Alignment", source="Sec. 4.1")
class AlignmentStage(Stage):
    """Paired speech and gesture encoders.

    A batch has one window a clip; where clips are fewer than its size, also windows of one clip that begin at
    least `apart_frames` from each other, 0 for none. Source: reading 13.
    """

    version = 2
    trains = True

    def __init__(
        self, alignment: Recipe[Alignment], training: AdamW, apart_frames: int = 2 * WINDOW_FRAMES
    ) -> None:
        if apart_frames and apart_frames < WINDOW_FRAMES:
            raise InputError(
                f"stage.alignment.apart_frames = {apart_frames}: expected 0 or at least {WINDOW_FRAMES}"
            )
        self.alignment, self.training, self.apart_frames = alignment, training, apart_frames

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "speech")

    def build(self, parents: Mapping[str, Any]) -> Alignment:
        return self.alignment(parents["speech"].width)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        corpus, batch = parents["corpus"], self.training.batch
        clips, tests = (corpus.windows(split, most=1) for split in ("train", "test"))
        if clips is None:
            return []
        windows = max(clips, corpus.windows("train", self.apart_frames) if self.apart_frames else 0)
        remarks = self.alignment.remarks(min(batch, windows))
        if clips < batch and not remarks:
            most = min(batch, windows)
            remarks = [f"{clips} training clips for a batch of {batch}: {most} windows at most, of few clips"]
        return remarks + (["one test clip: how well it retrieves is not measured"] if tests == 1 else [])

    def run(self, inputs: Inputs, workspace: Workspace, built: Alignment) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device)
        batch, apart = self.training.batch, self.apart_frames

        def step() -> dict[str, Tensor]:
            return built.losses(windows.draw_apart(batch, apart))

        workspace.capture(built.steady())
        validation = self._held_out(built, load_dev(inputs, workspace.device))
        values = fit(built, step, self.training, workspace, validation=validation)
        effort = training_effort(built, step, self.training)
        workspace.save_network(built)
        test = load_windows(inputs, "test", workspace.device)
        return {
            "parameters": count_parameters(built),
            **effort,
            **values,
            **retrieval(built, test),
            **order(built, test),
        }

    def _held_out(self, built: Alignment, dev: Windows | None) -> Validation | None:
        """Return what is measured over dev windows; of a single clip nothing is retrieved."""
        if dev is None:
            return None
        with fixed_random_state(dev.motion.is_cuda):
            batches = [dev.draw_apart(self.training.batch, self.apart_frames) for _ in range(DRAWN)]
        if len(dev.clips.unique()) < 2:
            return held_out(built.losses, batches, LOSS)

        def recalled() -> dict[str, float]:
            recalls = retrieval(built, dev, DRAWN)
            return {"recall1": sum(recalls[f"recall1_{stream}"] for stream in STREAMS) / len(STREAMS)}

        return held_out(built.losses, batches, "recall1", recalled, higher=True)


@torch.no_grad()
def retrieval(network: Alignment, windows: Windows, draws: int = 20) -> dict[str, float]:
    """Return R@1 and R@5 over pools of one window a clip, averaged, with the pool size and chance.

    Of a pool of one there is only its size: whatever is sought in it is found.
    """
    recalls: dict[str, list[float]] = {}
    pool = len(windows.clips.unique())
    if pool < 2:
        return {"pool": pool}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(draws):
            batch = windows.draw_apart(len(windows))
            for stream in STREAMS:
                z_s, z_g = network.embed(batch, stream)
                for rank in (1, 5):
                    recalls.setdefault(f"recall{rank}_{stream}", []).append(recall(z_s, z_g, rank))
    return {"pool": pool, "chance": 1 / pool, **{k: sum(v) / len(v) for k, v in recalls.items()}}


@torch.no_grad()
def order(network: Alignment, windows: Windows) -> dict[str, float]:
    """Return the share of windows whose gesture fits their speech better than its phrases in another order.

    Chance is ½. orders: how many windows have another order; order_…_other: the share when the gesture is
    another window's: what it is above ½ is known of disordered speech without a look at the gesture.
    Source: reading 70.
    """
    pieces: list[dict[str, Tensor]] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for index in windows.chunks(256):
            batch = windows.batch(index)
            disordered, differs = disorder(batch)
            pieces.append({"differs": differs})
            for stream in STREAMS:
                own, gesture = network.embed(batch, stream)
                pieces[-1][f"gesture_{stream}"] = gesture
                pieces[-1][f"order_{stream}"] = own - network.embed(disordered, stream)[0]
    whole = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    differs = whole["differs"]
    shares: dict[str, float] = {"orders": int(differs.sum())}
    if not shares["orders"]:
        return shares
    for stream in STREAMS:
        gesture = whole[f"gesture_{stream}"]
        # Half the windows on is another clip, wherever there are two.
        for name, gestures in (("", gesture), ("_other", gesture.roll(len(gesture) // 2, 0))):
            better = (whole[f"order_{stream}"] * gestures).sum(dim=1) > 0
            shares[f"order_{stream}{name}"] = float(better[differs].float().mean())
    return shares
