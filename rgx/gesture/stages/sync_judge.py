"""The judge of synchrony that `mismatch` and `fgd_sync` are measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.windows import window_starts
from rgx.gesture.metrics.sync_judge import SyncJudge
from rgx.gesture.nn.precision import sent
from rgx.gesture.nn.weights import Shapes, fingerprint_of_state, read_state
from rgx.gesture.skeleton import STREAMS, stream_slice
from rgx.gesture.speech.base import Speech
from rgx.gesture.types import WINDOW_FRAMES, ClipSpan, CorpusFacts
from rgx.registry import Place, Recipe, register
from rgx.stage import SPLITS, Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

NETWORK, SCALE = "network.safetensors", "arrays.safetensors"
BODY = stream_slice("body")


@register("stage", "sync_judge", label="Sync judge", source="Sec. 5.2, reading 65")
class SyncJudgeStage(Stage):
    """Trained on real speech and body motion of training clips only; shared by every cell and every seed.

    It hears the corpus by features of its own, whatever the speech of a row, and leaves its views of the
    speech of every window that is judged. stored: the folder of one trained elsewhere
    (`store/sync_judge/<key>`), which is taken as it is, with its scales. Raises InputError for a folder
    without one of this shape.
    """

    seeded = False
    trains = True

    def __init__(
        self,
        sync_judge: Recipe[SyncJudge],
        speech: Speech,
        training: AdamW,
        seed: int = 0,
        stored: Place = "",
    ) -> None:
        self.sync_judge, self.speech, self.training = sync_judge, speech, training
        self.seed, self.stored = seed, stored

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def fingerprint(self) -> str:
        prints = [fingerprint_of_state(path, shapes) for path, shapes in self._files()] if self.stored else []
        return " ".join(x for x in (self.speech.fingerprint(), *prints) if x)

    def build(self, parents: Mapping[str, Any]) -> SyncJudge:
        facts: CorpusFacts = parents["corpus"]
        if self.speech.heard != facts.heard:
            raise InputError(
                f"the corpus holds speech as {facts.heard}; stage.sync_judge.speech = "
                f"{self.speech.record['variant']} is made from {self.speech.heard}: bind SYNC_SPEECH"
            )
        return self._judge()

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        clips: CorpusFacts = parents["corpus"]
        if self.stored or not clips.frames or clips.windows("train", WINDOW_FRAMES):
            return []
        return ["no training clip of two windows: the sync judge has nothing to tell apart"]

    def run(self, inputs: Inputs, workspace: Workspace, built: SyncJudge) -> dict[str, Any]:
        corpus = inputs.arrays("corpus")
        spans = [ClipSpan(**span) for span in inputs.about("corpus")["spans"]]
        sound = corpus[self.speech.heard].numpy()
        self.speech.prepare(workspace.device)
        features = torch.from_numpy(_features(self.speech, sound, spans))
        scale = self._stored(built) if self.stored else _scale(corpus, features, spans)
        speech = (features - scale["speech_mean"]) / scale["speech_std"]
        values: dict[str, float] = {}
        if not self.stored:
            motion = ((corpus["motion"] - scale["mean"]) / scale["std"])[:, BODY].flatten(1)
            values = self._train(built, speech, motion, spans, workspace)
        workspace.save_network(built)
        workspace.save_arrays(scale)
        self._save_views(built, speech, sound, spans, workspace)
        note = "Mismatch and FGD-sync: in a judge of synchrony that was trained elsewhere."
        workspace.save_about({"notes": [note] if self.stored else []})
        return {"parameters": count_parameters(built), **values}

    def _judge(self) -> SyncJudge:
        return self.sync_judge(self.speech.width, 2 * len(STREAMS["body"]))

    def _files(self) -> list[tuple[str, Shapes]]:
        """Return the files of a stored judge, its weights and its scales, and what each must hold."""
        with torch.device("meta"):
            weights = {k: tuple(v.shape) for k, v in self._judge().state_dict().items()}
        points, width = sum(map(len, STREAMS.values())), self.speech.width
        scale = dict.fromkeys(("mean", "std"), (points, 2)) | dict.fromkeys(
            ("speech_mean", "speech_std"), (width,)
        )
        folder = Path(self.stored).expanduser()
        return [(str(folder / NETWORK), weights), (str(folder / SCALE), scale)]

    def _stored(self, built: SyncJudge) -> dict[str, Tensor]:
        weights, scale = (read_state(path, shapes) for path, shapes in self._files())
        built.load_state_dict(weights)
        return scale

    def _train(
        self,
        built: SyncJudge,
        speech: Tensor,
        motion: Tensor,
        spans: Sequence[ClipSpan],
        workspace: Workspace,
    ) -> dict[str, float]:
        speech, motion = speech.to(workspace.device), motion.to(workspace.device)
        by_speaker: dict[int, list[ClipSpan]] = {}
        for span in spans:
            if span.split == "train" and span.frames > WINDOW_FRAMES:
                by_speaker.setdefault(span.speaker, []).append(span)
        clips = list(by_speaker.values())

        def losses() -> dict[str, Tensor]:
            frames = sent(draw_of_one_speaker(clips, self.training.batch), workspace.device)
            return built.losses(speech[frames], motion[frames])

        return fit(built, losses, self.training, workspace)

    @torch.no_grad()
    def _save_views(
        self,
        built: SyncJudge,
        speech: Tensor,
        sound: np.ndarray,
        spans: Sequence[ClipSpan],
        workspace: Workspace,
    ) -> None:
        """Leave, for each split that is judged, views of each window's speech and whether there is any."""
        built.eval()
        rate = len(sound) // len(speech)
        for split in SPLITS[1:]:
            starts = window_starts(spans, split)[0]
            if not len(starts):
                continue
            frames = starts[:, None] + torch.arange(WINDOW_FRAMES)
            views = [built.hear(speech[part].to(workspace.device)).cpu() for part in frames.split(256)]
            pieces = (sound[start * rate : (start + WINDOW_FRAMES) * rate] for start in starts.tolist())
            heard = torch.tensor([bool((piece != piece[0]).any()) for piece in pieces], dtype=torch.bool)
            workspace.save_arrays({"speech": torch.cat(views), "heard": heard}, split)


def draw_of_one_speaker(clips: Sequence[Sequence[ClipSpan]], size: int) -> Tensor:
    """Return the frames (B, T) of at most `size` windows of one speaker, drawn at random, no two overlapping.

    clips: those of each speaker. Who speaks tells nothing within a batch, and no window is a false negative
    of another; where windows begin is drawn anew for each clip, so that few clips make many windows.
    """
    own = clips[int(torch.randint(len(clips), ()))]
    starts = [
        span.start + offset
        for span in own
        for offset in range(
            int(torch.randint(min(WINDOW_FRAMES, span.frames - WINDOW_FRAMES + 1), ())),
            span.frames - WINDOW_FRAMES + 1,
            WINDOW_FRAMES,
        )
    ]
    chosen = torch.tensor(starts)[torch.randperm(len(starts))[:size]]
    return chosen[:, None] + torch.arange(WINDOW_FRAMES)


def _features(speech: Speech, sound: np.ndarray, spans: Sequence[ClipSpan]) -> np.ndarray:
    """Return the features (T, F) of all clips, end to end."""
    rate = len(sound) // sum(span.frames for span in spans)
    clips = [(sound[s.start * rate : (s.start + s.frames) * rate], s.frames) for s in spans]
    return np.concatenate(speech.features_of(clips))


def _scale(corpus: Mapping[str, Tensor], features: Tensor, spans: Sequence[ClipSpan]) -> dict[str, Tensor]:
    """Return mean and deviation of motion, as the corpus has them, and of the training clips' features."""
    train = torch.cat([torch.full((span.frames,), span.split == "train") for span in spans])
    own = features[train]
    speech = {"speech_mean": own.mean(0), "speech_std": own.std(0, correction=0).clamp(min=1e-3)}
    return {"mean": corpus["mean"], "std": corpus["std"], **speech}
