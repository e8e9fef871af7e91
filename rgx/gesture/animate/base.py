"""The contracts of the axes groups, keypoints and animator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.animate.limbs import Limbs
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.types import Pairs

if TYPE_CHECKING:
    from rgx.gesture.external.mailbox import Mailbox
    from rgx.gesture.external.requests import PoseRequest

Members = tuple[tuple[int, ...], ...]
"""A spline's control points, each the mean of points of a pose (COCO-WholeBody numbers)."""


@dataclass(frozen=True)
class Group:
    """What controls one spline, and whether that moves a limb: a part that turns as a whole (`Limbs`).

    follows: the number of the group that it moves with where none of its points is seen.
    """

    members: Members
    limb: bool = False
    follows: int | None = None


class Groups(ABC):
    """Which points of a pose control which spline; every group has as many control points.

    spread, reach: what `Limbs` says of them, for the groups that are a limb's.
    """

    spread: float = 0.0
    reach: float = 0.0

    @abstractmethod
    def groups(self) -> list[Group]:
        """Return the groups, the same each time; raises InputError where a pose has too few points."""


class Keypoints(nn.Module):
    """Which points control a warp: `groups` groups of `points` control points, a thin-plate spline each."""

    driven_by_pose: ClassVar[bool]
    """Whether a pose alone places every point; if not, the driving picture is needed."""
    reads_pose: ClassVar[bool] = False
    """Whether a pose places any of them."""
    groups: int
    points: int
    limbs: Limbs | None
    """Which splines move a limb; None where none does."""

    def __init__(self) -> None:
        super().__init__()
        self.limbs = None

    @abstractmethod
    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        """Return control points (B, G, P, 2) in [−1, 1] of pictures (B, 3, H, W) with poses (B, K, 2)."""

    @abstractmethod
    def visible(self, valid: Tensor) -> Tensor:
        """Return which control points can be believed, (B, G, P) bool, of valid (B, K)."""

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the losses that teach learnable points where to be; none for given poses."""
        return {}


@dataclass(frozen=True)
class Control:
    """What drives B pictures: control points (B, G, P, 2) in [−1, 1], and which can be believed (B, G, P).

    pose: the poses (B, K, 2) that they are of with valid (B, K), None for points that were generated.
    """

    points: Tensor
    visible: Tensor
    pose: tuple[Tensor, Tensor] | None = None


@dataclass
class Animated:
    """picture (B, 3, H, W) in [0, 1]; trusted (B, 1, H, W) in [0, 1], 0 where the source shows nothing."""

    picture: Tensor
    trusted: Tensor


class Animator(nn.Module):
    """A source picture and what drives it to pictures that follow that: control points, or a pose's.

    driven_by_pose: whether a pose alone says where the points are; if not, a driving picture or points must.
    reads_pose: whether a pose has part in what drives it, so that generated control points alone cannot.
    control_points: how many points, of all groups, drive a picture. outside: whether another program does all
    of it, window by window (`answered`): it has nothing to train, and makes no pairs for a refiner to learn
    from.
    """

    outside: ClassVar[bool] = False
    driven_by_pose: bool
    reads_pose: bool
    control_points: int

    @classmethod
    def fingerprint(cls, **bound: Any) -> str:
        """Return the identity of what it reads from outside the store, by what is bound."""
        return ""

    def notes(self) -> list[str]:
        """Return what a table must say beside the numbers of its pictures."""
        return []

    def answered(self, requests: Sequence[PoseRequest], mailbox: Mailbox) -> Iterator[Animated]:
        """Yield whole windows; only of an animator outside."""
        raise NotImplementedError

    @abstractmethod
    def losses(
        self, pairs: Pairs, perceptual: PerceptualFeatures, steps: int, hand_weight: float = 1.0
    ) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch, each the mean over its pairs.

        steps: how many there will be in all; hand_weight: what an error in a hand box weighs, 1 elsewhere.
        """

    @abstractmethod
    def begin(self, picture: Tensor, pose: Tensor, valid: Tensor) -> Any:
        """Return what is worth computing once of source pictures (B, 3, H, W) with their poses."""

    @abstractmethod
    def control(self, picture: Tensor | None, pose: Tensor, valid: Tensor) -> Control:
        """Return what drives of pictures (B, 3, H, W) with poses (B, K, 2) and valid (B, K).

        Raises InputError where there is no picture and a pose does not say everything.
        """

    def control_of(self, points: Tensor) -> Control:
        """Return generated control points (B, control_points, 2) as what drives: all can be believed.

        Raises InputError for an animator that they alone cannot drive.
        """
        raise InputError("control points alone cannot drive an animator that reads poses")

    @abstractmethod
    def animate(self, source: Any, control: Control) -> Animated:
        """Return the source as B controls have it; a source of one picture serves them all."""
