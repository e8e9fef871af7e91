"""What a trained cell of this method is outside a store: what goes along, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.model.gesture_model import GestureModel, Normalisation
from rgx.gesture.skeleton import KEPT, POINTS, STREAMS, edges
from rgx.gesture.stages.motion import MotionStage
from rgx.gesture.stages.speech import SpeechStage
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, CorpusFacts, PictureFacts
from rgx.model.base import Card, Product, TrainedCell
from rgx.stage import Stage
from rgx.store.artifacts import write_json
from rgx.store.workspace import Inputs

SKELETON, SPEAKERS, NORMALISATION, REST = (
    "skeleton.json", "speakers.json", "normalisation.safetensors", "rest.safetensors",
)  # fmt: skip
READ = {"corpus", "speech", "tokenizer", "generator", "residual"}
"""What a model can make motion from."""


class GestureProduct(Product):
    """Speech, tokenizer, generator and residual; animator and refiner where the row has them.

    Beside them: the skeleton, the speakers, means and deviations of motion and speech, and how each speaker
    rests, which is where motion begins without a portrait.
    """

    needs = ("corpus", "speech", "generator", "motion")
    takes = ("tokenizer", "residual", "frames", "animator", "refiner")
    data = ("corpus", "frames")

    def pack(self, stages: Mapping[str, Stage], artifacts: Inputs, folder: Path) -> Card:
        speech, motion = _speech(stages), stages["motion"]
        if speech.speech.heard != "waveform":
            raise InputError(f"this row hears {speech.speech.heard}, which no sound file holds")
        if other := [parent for parent in motion.parents() if parent not in READ]:
            raise InputError(f"this row's motion is made from {', '.join(other)}: no model folder holds that")
        about, corpus = artifacts.about("corpus"), artifacts.arrays("corpus")
        features = artifacts.arrays("speech")
        arrays = {f"motion_{name}": corpus[name] for name in ("mean", "std")}
        arrays |= {f"speech_{name}": features[name] for name in ("mean", "std")}
        save_file({name: array.contiguous() for name, array in arrays.items()}, folder / NORMALISATION)
        rests = rest_frames(corpus["motion"], corpus["valid"], about["spans"], len(about["speakers"]))
        save_file({"points": rests}, folder / REST)
        size = artifacts.about("frames")["size_px"] if "frames" in artifacts.folders else 0
        layout = {"layout": f"COCO-WholeBody {POINTS}", "kept": KEPT, "streams": STREAMS, "bones": edges()}
        clocks = {"frames_hz": FPS, "speech_hz": SAMPLE_RATE_HZ, "picture_px": size}
        write_json(folder / SKELETON, layout | clocks)
        write_json(folder / SPEAKERS, about["speakers"])
        clips = sum(span["split"] == "train" for span in about["spans"])
        seconds = sum(span["frames"] for span in about["spans"] if span["split"] == "train") / FPS
        return Card(
            "Speech to a gesturing person: keypoints at 25 Hz, and video where the row has an animator.",
            f"{clips} training clips, {seconds / 3600:.2f} hours, of {len(about['speakers'])} speakers "
            f"({', '.join(about['speakers'])}). No recording is in this folder but one frame of keypoints of "
            "each speaker at rest.",
        )

    def given(self, stages: Mapping[str, Stage], folder: Path) -> dict[str, Any]:
        speech = _speech(stages).speech
        speakers = tuple(json.loads((folder / SPEAKERS).read_text(encoding="utf-8")))
        corpus = CorpusFacts(speakers, {}, "", speech.heard)
        size = int(json.loads((folder / SKELETON).read_text(encoding="utf-8"))["picture_px"])
        return {"corpus": corpus, "speech": speech, "frames": PictureFacts(size, corpus)}

    def load(self, cell: TrainedCell) -> GestureModel:
        normal = Normalisation(**load_file(cell.folder / NORMALISATION, device=cell.device))
        rest = load_file(cell.folder / REST, device=cell.device)["points"]
        cell.built["speech"].prepare(cell.device)
        return GestureModel(cell, cast(MotionStage, cell.stages["motion"]), normal, rest)


def _speech(stages: Mapping[str, Stage]) -> SpeechStage:
    return cast(SpeechStage, stages["speech"])


def rest_frames(motion: Tensor, valid: Tensor, spans: list[dict[str, Any]], speakers: int) -> Tensor:
    """Return each speaker's training frame nearest to their mean (S, K, 2), in shoulder widths.

    Of the frames with the most valid points; what is not valid there is the mean. A mean alone would be
    nobody's: hands shrink in it. Source: reading 139.
    """
    rests = []
    for speaker in range(speakers):
        own = [s for s in spans if s["split"] == "train" and s["speaker"] == speaker]
        # Who has no clip to train on rests as everyone does.
        places = [slice(s["start"], s["start"] + s["frames"]) for s in own or spans]
        points, seen = (torch.cat([array[place] for place in places]) for array in (motion, valid))
        weight = seen[..., None].to(points)
        mean = (points * weight).sum(0) / weight.sum(0).clamp(min=1)
        count = seen.sum(1)
        far = ((points - mean).square() * weight).sum((1, 2)).masked_fill(count < count.max(), torch.inf)
        nearest = far.argmin()
        rests.append(torch.where(seen[nearest, :, None], points[nearest], mean))
    return torch.stack(rests)


product = GestureProduct()
