"""Real and generated windows to the scores of every metric: what the protocols share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.evaluation import evaluate
from rgx.gesture.metrics.base import MotionMetric, SourcePicture, VideoMetric, VideoPair
from rgx.gesture.nn.faces import face_box
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.rendering import to_pictures
from rgx.gesture.types import LANDMARKS, WINDOW_FRAMES
from rgx.metric import describe, name_of
from rgx.outputs import value_or_reason
from rgx.stage import Stage
from rgx.store.samples import SampleParts, Samples
from rgx.store.workspace import Inputs, Workspace

NOTHING = "no window holds anything it measures"
RESAMPLES = 2000
"""Draws behind one interval."""


def fingerprint_of(metrics: Sequence[VideoMetric]) -> str:
    """Return the identity of all pretrained weights the metrics read."""
    return " ".join(fingerprint for metric in metrics if (fingerprint := metric.fingerprint()))


def remarks_of(
    metrics: Sequence[MotionMetric] | Sequence[VideoMetric], windows: int | None, features: int | None = None
) -> list[str]:
    """Return what each metric lacks over so many windows, or nothing where nobody knows how many."""
    if windows is None:
        return []
    return [remark for metric in metrics for remark in metric.remarks(windows, features)]


def score_windows(
    metrics: Sequence[VideoMetric], pairs: Iterable[VideoPair], clips: Sequence[str], workspace: Workspace
) -> dict[str, Any]:
    """Return scores, references and descriptions, the windows taken one at a time; clips: of each its clip.

    What each clip adds to the scores that are means is left as samples.
    """
    for metric in metrics:
        metric.prepare(workspace.device)
    measured: list[list[np.ndarray]] = [[] for _ in metrics]
    parts: dict[str, list[tuple[float, float]]] = {}
    size = 0
    for done, pair in enumerate(pairs, start=1):
        size = pair.real.shape[-1]
        for of_metric, metric in zip(measured, metrics, strict=True):
            if len(measures := metric.measure(pair)):
                of_metric.append(measures)
            part = metric.part(measures) if len(measures) else (0.0, 0.0)
            parts.setdefault(name_of(metric), []).extend([] if part is None else [part])
        workspace.progress(done, len(clips))
    scores, references, about = {}, {}, {}
    for of_metric, metric in zip(measured, metrics, strict=True):
        name, description = name_of(metric), describe(metric)
        scores[name] = value_or_reason(partial(metric.score, of_metric)) if of_metric else NOTHING
        references[name] = value_or_reason(partial(metric.reference, of_metric)) if of_metric else NOTHING
        windows = f"{len(of_metric)} windows of {WINDOW_FRAMES} frames, {size} px"
        protocol = "; ".join(filter(None, (metric.protocol, metric.read_as, windows)))
        about[name] = description | {"protocol": protocol, "stand_in": metric.stand_in}
    means = {
        name: tuple(np.array(of_metric).T)
        for name, of_metric in parts.items()
        if len(of_metric) == len(clips) and isinstance(scores[name], float)
    }
    workspace.save_samples(by_clip(means, clips))
    return {"scores": scores, "references": references, "metrics": about, "windows": len(clips)}


def window_pair(pictures: Pictures, start: int, generated: Tensor) -> VideoPair:
    """Return the recorded window from a frame on beside what was generated for it, both on one device.

    Its source picture is the frame before it.
    """
    index, size = torch.arange(start, start + WINDOW_FRAMES), (pictures.size_px, pictures.size_px)
    hands = hand_mask(pictures.pose[index], pictures.valid[index], size)
    face = face_box(pictures.pose[start - 1], pictures.valid[start - 1], size)
    source = SourcePicture(pictures.pictures(torch.tensor([start - 1])), face)
    return VideoPair(pictures.pictures(index), generated, hands.to(generated.device), source)


def by_clip(parts: Mapping[str, tuple[np.ndarray, np.ndarray]], names: Sequence[str]) -> Samples:
    """Return what each clip adds to scores that are means; names: the clip of each window.

    parts: of each score, value and weight (W,) of each window. A clip's windows overlap and are of one
    speech: what is drawn anew is a clip, never a window.
    """
    clips = list(dict.fromkeys(names))
    places = np.array([clips.index(name) for name in names])
    scores = {}
    for name, (values, weights) in parts.items():
        total = np.bincount(places, weights, len(clips))
        above = np.bincount(places, values * weights, len(clips))
        means = np.divide(above, total, out=np.zeros_like(above), where=total > 0)
        scores[name] = SampleParts(values=means.tolist(), weights=total.tolist())
    return Samples(unit="test clips", names=clips, scores=scores)


def intervals(samples: Samples) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap interval over clips of each score that is their mean.

    Source: percentile bootstrap, Efron 1979. Clips of which it measures nothing count for none.
    """
    ends = {}
    for name, parts in samples.scores.items():
        weights = np.asarray(parts.weights)
        some = weights > 0
        values, weights, clips = np.asarray(parts.values)[some], weights[some], int(some.sum())
        if clips > 1:
            times = np.random.default_rng(0).multinomial(clips, np.full(clips, 1 / clips), RESAMPLES)
            low, high = np.percentile(times @ (weights * values) / (times @ weights), (2.5, 97.5))
            ends[name] = (float(low), float(high))
    return ends


class MotionScoring(Stage):
    """Every motion metric over one stage's motion, with what a table needs to print the scores.

    Beside them, `chances`: what real motion scores beside speech not its own, where that says something;
    `intervals`: by score that is a mean over clips, where 95 % of bootstrap draws of the clips lie.
    """

    version = 3
    seeded = False
    judged: ClassVar[str] = "motion"
    """The stage whose motion is scored: all windows of the split that it leaves, or those it names."""
    real: ClassVar[str] = ""
    """The stage whose motion counts as real; none for the keypoints of the corpus."""

    def __init__(self, metrics: tuple[MotionMetric, ...]) -> None:
        self.metrics = metrics

    @property
    def judges(self) -> tuple[str, ...]:
        """The stages in whose features its metrics are taken."""
        return tuple(dict.fromkeys(["judge", *(metric.judge for metric in self.metrics)]))

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "speech", *self.judges, self.judged, *([self.real] if self.real else []))

    def build(self, parents: Mapping[str, Any]) -> None:
        """Raise InputError for motion that is no landmarks."""
        if parents[self.judged].source != LANDMARKS:
            raise InputError(
                f"{self.judged} is in control points, which motion metrics do not measure: score its videos "
                f"(targets: [video_scores]), or choose space: landmarks"
            )

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        windows = parents[self.judged].count
        latents = {metric.judge: getattr(parents[metric.judge], "latent", None) for metric in self.metrics}
        return [line for m in self.metrics for line in remarks_of([m], windows, latents[m.judge])]

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        evaluation, names = evaluate(inputs, self.judged, self.real)
        scores, references, about, chances = {}, {}, {}, {}
        for metric in self.metrics:
            name = name_of(metric)
            scores[name] = value_or_reason(partial(metric.score, evaluation))
            references[name] = value_or_reason(partial(metric.reference, evaluation))
            about[name] = describe(metric)
            measured = isinstance(references[name], float)
            if measured and (chance := metric.chance(evaluation)) is not None:
                chances[name] = chance
        parts = {name_of(metric): metric.parts(evaluation) for metric in self.metrics}
        samples = by_clip({name: part for name, part in parts.items() if part is not None}, names)
        workspace.save_samples(samples)
        outputs = {
            **{"scores": scores, "references": references, "metrics": about, "windows": len(names)},
            **{"chances": chances, "intervals": intervals(samples)},
        }
        of_judges = (note for judge in self.judges for note in inputs.about(judge)["notes"])
        notes = [*of_judges, *self.notes(inputs)]
        return outputs | ({"notes": notes} if notes else {})

    def notes(self, inputs: Inputs) -> list[str]:
        """Return what a table must say beside the numbers."""
        return []


class VideoScoring(Stage):
    """Every video metric over the windows of one stage, against the same windows of the recording."""

    seeded = False
    judged: ClassVar[str] = "video"
    """The stage whose windows are scored."""

    def __init__(self, metrics: tuple[VideoMetric, ...]) -> None:
        self.metrics = metrics

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", self.judged)

    def fingerprint(self) -> str:
        return fingerprint_of(self.metrics)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return remarks_of(self.metrics, parents[self.judged].count)

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        device = workspace.device
        pictures, about = load_pictures(inputs, device), inputs.about(self.judged)
        frames = np.load(inputs.folders[self.judged] / "frames.npy", mmap_mode="r")
        clips = [pictures.clip_of(start) for start in about["starts"]]

        def pairs() -> Iterator[VideoPair]:
            for start, generated in zip(about["starts"], frames, strict=True):
                yield window_pair(pictures, start, to_pictures(generated, device))

        return {
            **score_windows(self.metrics, pairs(), clips, workspace),
            "notes": about["notes"],
        }
