"""What the artifacts of a row hold, as motion metrics look at it."""

from __future__ import annotations

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.data.reading import load_windows
from rgx.gesture.metrics.base import Evaluation, Synchrony
from rgx.gesture.skeleton import stream_slice
from rgx.store.workspace import Inputs


def evaluate(inputs: Inputs, judged: str, real: str = "") -> tuple[Evaluation, list[str]]:
    """Return one stage's motion beside the real one, and the clip of each window.

    judged: the stage; it leaves the motion of all windows of its split, or of those that it names. real: the
    stage whose motion counts as the real one, over the windows that both leave; the corpus' own without one.
    Raises InputError where they have no window in common.
    """
    split = inputs.built[judged].split
    windows = load_windows(inputs, split, "cpu")
    generated, corpus = inputs.arrays(judged), inputs.arrays("corpus")
    index, motion = generated.get("windows", torch.arange(len(windows))), generated["motion"]
    if real:
        index, motion, *recorded = common(index, motion, inputs.arrays(real), real)
    batch = windows.batch(index)
    if not real:
        recorded = [batch.motion * corpus["std"] + corpus["mean"], batch.valid]
    judge, scale = inputs.built["judge"].cpu(), inputs.arrays("judge")

    @torch.no_grad()
    def embed(motion: np.ndarray) -> np.ndarray:
        # A judge sees motion in the scale of the corpus it was trained on.
        seen = (torch.from_numpy(motion) - scale["mean"]) / scale["std"]
        features: np.ndarray = judge.encode(seen.flatten(2)).numpy()
        return features

    evaluation = Evaluation(
        real=recorded[0].numpy(),
        generated=motion.numpy(),
        valid=recorded[1].numpy(),
        audio_beats=batch.beats.numpy(),
        embed=embed,
        places=torch.stack([batch.clip, batch.speaker, windows.starts[index]], dim=1).numpy(),
        sync=synchrony(inputs, split, index) if "sync_judge" in inputs.folders else None,
    )
    spans = inputs.about("corpus")["spans"]
    return evaluation, [spans[clip]["name"] for clip in batch.clip.tolist()]


def common(
    index: torch.Tensor, motion: torch.Tensor, recorded: dict[str, torch.Tensor], real: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the windows (W,) that are recorded too, their motion, and the recorded motion and validity."""
    both = torch.isin(index, recorded["windows"])
    if not both.any():
        raise InputError(f"{real} has none of the {len(index)} windows that are to be scored")
    rows = torch.searchsorted(recorded["windows"], index[both])
    return index[both], motion[both], recorded["motion"][rows], recorded["valid"][rows]


def synchrony(inputs: Inputs, split: str, index: torch.Tensor) -> Synchrony:
    """Return what the judge of synchrony says of the windows at `index` (W,) of a split."""
    judge, scale = inputs.built["sync_judge"].cpu(), inputs.arrays("sync_judge")
    views, body = inputs.arrays("sync_judge", split), stream_slice("body")

    @torch.no_grad()
    def embed(motion: np.ndarray) -> np.ndarray:
        seen = ((torch.from_numpy(motion) - scale["mean"]) / scale["std"])[:, :, body]
        pieces: list[np.ndarray] = [judge.see(part.flatten(2)).numpy() for part in seen.split(256)]
        return np.concatenate(pieces)

    return Synchrony(views["speech"][index].numpy(), views["heard"][index].numpy(), embed)
