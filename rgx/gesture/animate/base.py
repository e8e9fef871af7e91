"""The contracts of the axes keypoints and animator."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.types import Pairs


class Keypoints(nn.Module):
    """Which points control a warp: `groups` groups of `points` control points, a thin-plate spline each."""

    driven_by_pose: ClassVar[bool]
    """Whether a pose alone places every point; if not, the driving picture is needed."""
    groups: int
    points: int

    @abstractmethod
    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        """Return control points (B, G, P, 2) in [−1, 1] of pictures (B, 3, H, W) with poses (B, K, 2)."""

    @abstractmethod
    def visible(self, valid: Tensor) -> Tensor:
        """Return which control points can be believed, (B, G, P) bool, of valid (B, K)."""

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the losses that teach learnable points where to be; none for given poses."""
        return {}


@dataclass
class Animated:
    """picture (B, 3, H, W) in [0, 1]; trusted (B, 1, H, W) in [0, 1], 0 where the source shows nothing."""

    picture: Tensor
    trusted: Tensor


class Animator(nn.Module):
    """A source picture and poses to pictures that follow the poses."""

    driven_by_pose: bool

    @abstractmethod
    def losses(self, pairs: Pairs, perceptual: PerceptualFeatures, steps: int) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch; steps is how many there will be in all."""

    @abstractmethod
    def begin(self, picture: Tensor, pose: Tensor, valid: Tensor) -> Any:
        """Return what is worth computing once of source pictures (B, 3, H, W) with their poses."""

    @abstractmethod
    def animate(self, source: Any, pose: Tensor, valid: Tensor, picture: Tensor | None = None) -> Animated:
        """Return the source in the driving poses (B, K, 2); a source of one picture serves all B.

        picture (B, 3, H, W): the driving picture, read only where a pose does not say everything.
        """
