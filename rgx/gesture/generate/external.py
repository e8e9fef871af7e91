"""Axis generator: a system outside rgx, by a command of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.external.command import Command, digest_of
from rgx.gesture.external.replies import KeypointAnswers
from rgx.gesture.generate.base import Generator, Inference
from rgx.gesture.types import Batch, MotionTokenizer
from rgx.registry import Place, Unkeyed, register

OWNER, HEARD = "generator.external", "waveform"


@register("generator", "external", label="External", source="ours, reading 134")
class ExternalGenerator(Generator):
    """Speech and a condition frame to keypoints by another system's command (docs/external.md).

    command: program and arguments, in which {python}, {adapter}, {inputs} and {outputs} are filled in;
    revision, licence: of the system, both required; timeout_s: the longest time between two answers.
    """

    needs_tokenizer = False
    outside = True

    def __init__(
        self,
        heard: str,
        command: tuple[str, ...] = (),
        revision: str = "",
        licence: str = "",
        adapter: Place = "",
        timeout_s: Unkeyed[float] = 600.0,
    ) -> None:
        super().__init__()
        self.speech = nn.ModuleDict()
        self.command = Command(OWNER, command, revision, licence, adapter, timeout_s)
        if heard != HEARD:
            raise InputError(
                f"{OWNER} is given recorded speech, and of its speech the corpus holds {heard} only; choose "
                "another generator or a corpus with recordings"
            )

    @classmethod
    def fingerprint(cls, **bound: Any) -> str:
        """Return the digest of the adapter; raises InputError where it cannot be read."""
        return digest_of(OWNER, bound["adapter"])

    def notes(self) -> list[str]:
        return [self.command.note]

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        raise InputError(f"{OWNER} learns nothing here: it is trained where it comes from")

    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        """Return motion (B, T, K, 2); raises InputError for answers that are absent or wrong."""
        asked = inference.asked
        if asked is None:
            raise InputError(f"{OWNER} is given windows as they were recorded, which only stage motion does")
        answers = asked.mailbox.answers(self.command, asked.requests, KeypointAnswers())
        motion = np.stack([r.motion(points) for r, points in zip(asked.requests, answers, strict=True)])
        return torch.from_numpy((motion - asked.mean) / asked.std).to(batch.motion.device)
