"""Axis animator: a system outside rgx, by a command of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Animator, Control
from rgx.gesture.external.command import Command, digest_of
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.external.replies import PictureAnswers
from rgx.gesture.external.requests import PoseRequest
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.types import Pairs
from rgx.registry import Place, Unkeyed, register

OWNER = "animator.external"


@register("animator", "external", label="External", source="ours, reading 135")
class ExternalAnimator(Animator):
    """A source picture and poses to pictures by another system's command (docs/external.md).

    command: program and arguments, in which {python}, {adapter}, {inputs} and {outputs} are filled in;
    revision, licence: of the system, both required; timeout_s: the longest time between two answers.
    """

    outside = True
    driven_by_pose = reads_pose = True
    control_points = 0

    def __init__(
        self,
        size_px: int,
        command: tuple[str, ...] = (),
        revision: str = "",
        licence: str = "",
        adapter: Place = "",
        timeout_s: Unkeyed[float] = 600.0,
    ) -> None:
        super().__init__()
        self.size_px = size_px
        self.command = Command(OWNER, command, revision, licence, adapter, timeout_s)

    @classmethod
    def fingerprint(cls, **bound: Any) -> str:
        """Return the digest of the adapter; raises InputError where it cannot be read."""
        return digest_of(OWNER, bound["adapter"])

    def notes(self) -> list[str]:
        return [self.command.note]

    def answered(self, requests: Sequence[PoseRequest], mailbox: Mailbox) -> Iterator[Animated]:
        """Yield each window of 80 frames, trusted everywhere; raises InputError for wrong answers."""
        for frames in mailbox.answers(self.command, requests, PictureAnswers(self.size_px)):
            picture = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
            yield Animated(picture, torch.ones_like(picture[:, :1]))

    def losses(
        self, pairs: Pairs, perceptual: PerceptualFeatures, steps: int, hand_weight: float = 1.0
    ) -> dict[str, Tensor]:
        raise InputError(f"{OWNER} learns nothing here: it is trained where it comes from")

    def begin(self, picture: Tensor, pose: Tensor, valid: Tensor) -> Any:
        raise InputError(f"{OWNER} makes whole windows only, where animation and reconstruction ask for them")

    def control(self, picture: Tensor | None, pose: Tensor, valid: Tensor) -> Control:
        raise InputError(f"{OWNER} makes whole windows only, where animation and reconstruction ask for them")

    def animate(self, source: Any, control: Control) -> Animated:
        raise InputError(f"{OWNER} makes whole windows only, where animation and reconstruction ask for them")
