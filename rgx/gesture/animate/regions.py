"""Axis keypoints: regions found in pictures, each with a place and a shape, as MRAA's."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.animate.base import Keypoints
from rgx.gesture.animate.dense_motion import Hourglass
from rgx.gesture.animate.detector import AFFINE, BEND, SIDE
from rgx.gesture.animate.keypoints import needed
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.nn.grid import pixel_grid, resize, sample
from rgx.gesture.nn.region_shapes import POINTS, lower_factor, moments, region_points, shift_and_shape
from rgx.registry import register

TEMPERATURE = 0.1
"""Of the softmax over the pixels of a heat map. Source: MRAA."""
LEAST_SPREAD = 0.02
"""Added to a region's in every direction, in half picture widths: below it a spline says less and less of how
the picture turns (`thin_plate.FLAT`), and its error far away grows. Source: ours, reading 115."""


class RegionPredictor(nn.Module):
    """Pictures (B, 3, H, W), seen at a share of their size, to shift (B, R, 2) and shape (B, R, 2, 2)."""

    def __init__(self, regions: int, width: int, blocks: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.hourglass = Hourglass(3, width, blocks)
        self.maps = nn.Conv2d(width, regions, 7, padding=3)

    def heat(self, picture: Tensor) -> Tensor:
        """Return heat maps (B, R, h, w) that each sum to 1, in float32."""
        size = (round(picture.shape[-2] * self.scale), round(picture.shape[-1] * self.scale))
        logits = self.maps(self.hourglass(resize(picture, size))[0]).float() / TEMPERATURE
        return cast(Tensor, logits.flatten(-2).softmax(-1).unflatten(-1, logits.shape[-2:]))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.heat(picture)
        with torch.autocast(maps.device.type, enabled=False):
            shift, covariance = moments(maps, pixel_grid(maps.shape[-2], maps.shape[-1], maps.device))
            floor = LEAST_SPREAD**2 * torch.eye(2, device=maps.device)
            return shift, lower_factor(covariance + floor)


@register("keypoints", "regions", label="Regions", source="MRAA (Siarohin 2021), rebuilt; reading 115")
class RegionKeypoints(Keypoints):
    """Regions learned from pictures alone: a group each, whose three points move it by an affine map.

    A region's points are its heat map's centre and, from there, the columns of the Cholesky factor of its
    covariance. Raises InputError for a scale outside (0, 1] and for no region.
    """

    driven_by_pose = False

    def __init__(
        self,
        size_px: int,
        regions: int = 10,
        width: int = 32,
        blocks: int = 5,
        scale: float = 0.25,
        weight: float = 10.0,
    ) -> None:
        super().__init__()
        if regions < 1 or not 0 < scale <= 1:
            raise InputError(
                f"keypoints.regions: regions = {regions} and scale = {scale}: expected at least one region "
                f"and 0 < scale <= 1"
            )
        self.groups, self.points, self.weight = regions, POINTS, weight
        self.predictor = RegionPredictor(regions, width, blocks, scale)

    def regions(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shift (B, R, 2) and shape (B, R, 2, 2) of every region of pictures (B, 3, H, W)."""
        return cast(tuple[Tensor, Tensor], self.predictor(picture))

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return region_points(*self.regions(needed(picture)))

    def visible(self, valid: Tensor) -> Tensor:
        return valid.new_ones(len(valid), self.groups, self.points)

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        transform = ThinPlate.random(len(picture), AFFINE, BEND, SIDE, picture.device)
        return {"equivariance": self.weight * region_equivariance(self, picture, transform)}


def region_equivariance(keypoints: RegionKeypoints, picture: Tensor, transform: ThinPlate) -> Tensor:
    """Return how far regions found in a transformed picture are, sent back, from those of the picture.

    All three points are sent back, which says how the shape changes there without a Jacobian; what comes back
    is another root of the same covariance, and its lower factor is compared. Source: reading 115.
    """
    height, width = picture.shape[-2:]
    grid = pixel_grid(height, width, picture.device) + transform.moves(height, width)[:, 0]
    pictures = torch.cat([picture, sample(picture, grid, "reflection")])
    points, again = region_points(*keypoints.regions(pictures)).chunk(2)
    places = again.flatten(1, 2)
    back = (places + transform.displacement(places)[:, 0]).unflatten(1, again.shape[1:3])
    shift, root = shift_and_shape(back)
    return (points - region_points(shift, lower_factor(root @ root.mT))).abs().mean()
