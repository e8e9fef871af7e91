"""Realistic-Gesture: co-speech gesture video generation, re-implemented from the paper."""

from __future__ import annotations

from rgx.methods import Method
from rgx.words import Words

METHOD = Method(
    targets=("motion_scores",),
    rooms=(
        *("nn", "data", "poses", "speech", "align", "tokens", "generate", "animate", "refine"),
        *("pixels", "metrics", "prepare.signal"),
        *("stages", "figures"),
    ),
    figures=("figures",),
    commands=("rgx.gesture.prepare.commands", "rgx.gesture.apps.commands", "rgx.gesture.model.commands"),
    references="rgx.gesture.apps.references",
    model="rgx.gesture.model.product",
    words=Words(reference="real motion", reference_line="Real", instruments=("judge", "sync_judge")),
)
