"""How much of the wrists speech fixes: `python benchmarks/coupling.py [--recordings FOLDER] [--clips N]`.

One table, every corpus measured the same way where it can be. Held out by clip (five folds), wrists in
shoulder widths less their speaker's mean of the training clips: R² of a ridge regression and of a small
network from mel (1 s around the frame) to the position and to the speed of both wrists, frames pooled.
`posture`: the share of the wrists' variance that lies between clips of a speaker. `speech share`: of puppets
only, who can be asked to say the same again: the share of the variance that is left in the mean over all
draws of what is not speech, which no reading of the speech can exceed. `sync`: of windows of
3.2 s, in per cent, how often what a ridge regression from mel expects of the speed of the wrists (and of the
head) correlates more with the own motion than with that of another clip of the speaker; 50 is chance.
"few" are as many clips as the recordings have, as long: R² of so few says little more than "not much".
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from torch import nn

from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_body import move, puppet
from rgx.gesture.data.puppets import MOTION, SPEECH, Puppets, PuppetsUncoupled
from rgx.gesture.data.videos import Videos
from rgx.gesture.skeleton import measure
from rgx.gesture.speech.mel_beat import log_mel
from rgx.gesture.types import WINDOW_FRAMES, Clip

MELS, REACH, STEP = 24, 12, 3
"""Bands, and frames of context to each side and between two of them."""
FOLDS, RIDGES = 5, 10.0 ** np.arange(1, 7)
WRISTS = [9, 10]


@dataclass(frozen=True)
class Track:
    """One clip: mel (T, F) with its context, wrists (T, 4), their speed (T, 2), and with the head's (T, 3).

    NaN where not seen.
    """

    speaker: str
    mel: np.ndarray
    position: np.ndarray
    speed: np.ndarray
    rhythm: np.ndarray


def track(clip: Clip) -> Track:
    """Return what is regressed on what, of one clip."""
    origin, scale = measure(clip.keypoints, clip.valid)
    wrists = (clip.keypoints[:, WRISTS] - origin) / scale
    wrists = np.where(clip.valid[:, WRISTS, None], wrists, np.nan)
    speed = np.linalg.norm(np.gradient(wrists, axis=0), axis=-1)
    head = np.gradient((clip.keypoints[:, 0] - clip.keypoints[:, 5:7].mean(1)) / scale, axis=0)
    rhythm = np.concatenate([speed, np.linalg.norm(head, axis=-1, keepdims=True)], axis=1)
    frames = len(wrists)
    mel = np.pad(log_mel(clip.waveform, frames, MELS), ((REACH, REACH), (0, 0)), mode="edge")
    context = [mel[REACH + lag : REACH + lag + frames] for lag in range(-REACH, REACH + 1, STEP)]
    return Track(clip.speaker, np.concatenate(context, axis=1), wrists.reshape(frames, 4), speed, rhythm)


def r2_held_out(tracks: list[Track], name: str, fit: Callable[..., Callable[..., np.ndarray]]) -> float:
    """Return R² over clips unseen, of a regression that `fit` returns from features and targets."""
    error = variance = 0.0
    for fold in range(FOLDS):
        train = [t for n, t in enumerate(tracks) if n % FOLDS != fold]
        inputs, targets, means = pooled(train, name, None)
        centre, spread = inputs.mean(0), inputs.std(0) + 1e-6
        predict = fit((inputs - centre) / spread, targets)
        inputs, targets, _ = pooled(tracks[fold::FOLDS], name, means)
        error += float(((predict((inputs - centre) / spread) - targets) ** 2).sum())
        variance += float((targets**2).sum())
    return 1 - error / variance


def sync(tracks: list[Track], name: str) -> float:
    """Return how often a window's own speech predicts its speeds better than those of another clip, in %."""
    right: list[float] = []
    for half in range(2):  # by pairs: a speaker of few clips has two to tell apart
        train = [t for n, t in enumerate(tracks) if n // 2 % 2 != half]
        inputs, targets, _ = pooled(train, name, None)
        centre, spread = inputs.mean(0), inputs.std(0) + 1e-6
        predict = ridge((inputs - centre) / spread, targets)
        windows: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {}
        for clip, t in enumerate(tracks):
            if clip // 2 % 2 != half:
                continue
            predicted = predict((t.mel - centre) / spread)
            for start in range(0, len(t.mel) - WINDOW_FRAMES + 1, WINDOW_FRAMES // 2):
                shown = slice(start, start + WINDOW_FRAMES)
                speeds = getattr(t, name)[shown]
                if np.isfinite(speeds).all():
                    pair = standard(predicted[shown]), standard(speeds)
                    windows.setdefault(t.speaker, []).append((clip, *pair))
        for of_speaker in windows.values():
            for clip, said, moved in of_speaker:
                others = [float((said * another).sum()) for n, _, another in of_speaker if n != clip]
                if others:
                    right.append(float(np.mean(float((said * moved).sum()) > np.array(others))))
    return 100 * float(np.mean(right))


def standard(values: np.ndarray) -> np.ndarray:
    """Return each column (T, C) with a mean of 0 and a deviation of 1."""
    return (values - values.mean(0)) / (values.std(0) + 1e-9)


def pooled(
    tracks: list[Track], name: str, means: dict[str, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return features and targets of all frames seen, the targets less their speaker's mean; the means."""
    values = {n: getattr(t, name) for n, t in enumerate(tracks)}
    if means is None:
        speakers = {t.speaker for t in tracks}
        means = {
            s: np.nanmean(np.concatenate([values[n] for n, t in enumerate(tracks) if t.speaker == s]), axis=0)
            for s in sorted(speakers)
        }
    targets = np.concatenate([values[n] - means[t.speaker] for n, t in enumerate(tracks)])
    seen = np.isfinite(targets).all(1)
    return np.concatenate([t.mel for t in tracks])[seen], targets[seen], means


def ridge(inputs: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a ridge regression whose weight is chosen on the last fifth of the frames."""
    cut = len(inputs) * 4 // 5

    def solve(x: np.ndarray, y: np.ndarray, weight: float) -> np.ndarray:
        return np.linalg.solve(x.T @ x + weight * np.eye(x.shape[1]), x.T @ y)

    errors = [
        ((inputs[cut:] @ solve(inputs[:cut], targets[:cut], w) - targets[cut:]) ** 2).sum() for w in RIDGES
    ]
    weights = solve(inputs, targets, float(RIDGES[int(np.argmin(errors))]))
    return lambda x: x @ weights


def network(inputs: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a network of one hidden layer, stopped where the last fifth of the frames is predicted best."""
    torch.manual_seed(0)
    cut, scale = len(inputs) * 4 // 5, targets.std()
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets / scale, dtype=torch.float32)
    model = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, y.shape[1]))
    nn.init.zeros_(model[3].weight)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    least, best = float("inf"), {k: v.clone() for k, v in model.state_dict().items()}
    for step in range(300):
        if step % 20 == 0:
            with torch.no_grad():
                error = float(((model.eval()(x[cut:]) - y[cut:]) ** 2).mean())
            if error < least:
                least, best = error, {k: v.clone() for k, v in model.state_dict().items()}
        index = torch.randint(cut, (512,))
        loss = ((model.train()(x[index]) - y[index]) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.load_state_dict(best)
    model.eval()
    return lambda z: model(torch.tensor(z, dtype=torch.float32)).detach().numpy() * scale


def posture_share(tracks: list[Track]) -> float:
    """Return the share of the wrists' variance that lies between the clips of a speaker."""
    _, everything, means = pooled(tracks, "position", None)
    between = sum(
        float(((np.nanmean(t.position, axis=0) - means[t.speaker]) ** 2).sum()) * len(t.position)
        for t in tracks
    )
    return between / float((everything**2).sum())


def speech_share(corpus: Puppets, clips: int, draws: int = 8) -> float:
    """Return the share of the wrists' variance that is the same however all but the speech is drawn."""
    fixed = total = 0.0
    for speaker in range(len(corpus.names)):
        who, shown = puppet(speaker), []
        for index in range(clips):
            speech = corpus.driver("train", speaker, index, corpus.speech("train", speaker, index, SPEECH))
            performances = []
            for draw in range(draws):
                rng = np.random.default_rng([corpus.seed, speaker, index, MOTION, draw])
                gestures = corpus.world.gesture(who, speech, rng)
                true = move(who, speech, gestures, rng)[0]
                chest, width = true[:, 5:7].mean(1, keepdims=True), np.ptp(true[:, 5:7, 0], axis=1).mean()
                performances.append(((true[:, WRISTS] - np.median(chest, axis=0)) / width).reshape(-1, 4))
            shown.append(performances)
        wrists = np.array(shown)  # (clips, draws, T, 4)
        wrists -= wrists.mean((0, 1, 2))
        total += float((wrists**2).mean())
        # The mean of few draws still varies by a share of what varies between them.
        fixed += float((wrists.mean(1) ** 2).mean() - wrists.var(1, ddof=1).mean() / draws)
    return fixed / total


def row(name: str, clips: Iterable[Clip], share: float | str = "") -> list[float | int | str]:
    """Return one line of the table."""
    tracks = [track(clip) for clip in clips]
    frames = sum(len(t.mel) for t in tracks)
    figures = [r2_held_out(tracks, what, by) for by in (ridge, network) for what in ("position", "speed")]
    return [
        name,
        len(tracks),
        frames,
        *figures,
        posture_share(tracks),
        *(sync(tracks, s) for s in ("speed", "rhythm")),
        share,
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, help="a folder as corpus/videos reads it")
    parser.add_argument("--clips", type=int, default=64, help="clips of puppets, of four speakers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows, each = [], arguments.clips // 4
    if arguments.recordings:
        rows.append(row("recordings", Videos(str(arguments.recordings)).clips()))
    few = {"train_clips": 5, "test_clips": 0, "dev_clips": 0, "clip_s": 7.76}
    many = {"train_clips": each, "test_clips": 0, "dev_clips": 0}
    for name, world in (("lively", LivelyWorld()), ("plain", PlainWorld())):
        rows.append(row(f"puppets, {name}, few", Puppets(world, **few).clips()))
        corpus = Puppets(world, **many)
        rows.append(row(f"puppets, {name}", corpus.clips(), speech_share(corpus, min(each, 8))))
    rows.append(row("puppets, lively, uncoupled", PuppetsUncoupled(LivelyWorld(), **many).clips(), 0.0))
    heads = ["", "clips", "frames", "ridge position", "ridge speed", "network position", "network speed"]
    print(
        tabulate(
            rows, headers=[*heads, "posture", "sync, wrists", "and head", "speech share"], floatfmt=".3f"
        )
    )


if __name__ == "__main__":
    main()
