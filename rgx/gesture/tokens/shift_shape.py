"""Axis parts: where regions go in one stream, how they change their shape in another."""

from __future__ import annotations

from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.nn.region_shapes import POINTS, region_points, shift_and_shape
from rgx.gesture.skeleton import STREAMS
from rgx.gesture.tokens.base import Parts
from rgx.registry import register

SHIFT, SHAPE = "shift", "shape"


@register("parts", "shift_shape", label="Shift / shape", source="ANGIE (Liu 2022), rebuilt; reading 116")
class ShiftShapeParts(Parts):
    """Points in threes, a region each: steps of its centre, and its two tips as seen from there.

    No step says where a speaker stands, so a pattern is the same anywhere; that is said by the frame which a
    window goes on from. Raises InputError for points that are no threes.
    """

    anatomical = False

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        return self.over(tuple(STREAMS))

    def over(self, members: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return {SHIFT: members, SHAPE: members}

    def size(self, stream: str, coordinates: int) -> int:
        regions, rest = divmod(coordinates, 2 * POINTS)
        if rest:
            raise InputError(
                f"parts: shift_shape: found {coordinates // 2} points, expected regions of {POINTS} points "
                f"each, as keypoints: regions has them"
            )
        return 2 * regions * (POINTS - 1 if stream == SHAPE else 1)

    def code(self, coordinates: dict[str, Tensor]) -> dict[str, Tensor]:
        shift, shape = shift_and_shape(_in_regions(coordinates[SHIFT]))
        steps = shift.diff(dim=1, prepend=shift[:, :1])
        return {SHIFT: steps.flatten(-2), SHAPE: shape.flatten(-3)}

    def restore(self, coded: dict[str, Tensor]) -> Tensor:
        shift = coded[SHIFT].cumsum(dim=1).unflatten(-1, (-1, 2))
        return region_points(shift, coded[SHAPE].unflatten(-1, (-1, 2, POINTS - 1))).flatten(-3)

    def anchor(self, decoded: Tensor, known: Tensor) -> Tensor:
        off = known[:, -1:] - decoded[:, known.shape[1] - 1, None]
        # All of a region moves as its centre does.
        return decoded + off[:, :, ::POINTS].repeat_interleave(POINTS, dim=2)


def _in_regions(coordinates: Tensor) -> Tensor:
    """Return the points (B, T, R, 3, 2) of coordinates (B, T, C)."""
    return coordinates.unflatten(-1, (-1, POINTS, 2))
