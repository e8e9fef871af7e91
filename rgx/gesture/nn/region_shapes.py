"""Regions of a picture as three control points: a centre, and the tips of the two axes of its shape."""

from __future__ import annotations

import torch
from torch import Tensor

POINTS = 3
"""Control points of a region: a spline through three points is an affine map."""


def shift_and_shape(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return shift (…, 2) and shape (…, 2, 2), whose columns are the axes, of control points (…, 3, 2)."""
    shift, tips = points[..., 0, :], points[..., 1:, :]
    return shift, (tips - shift[..., None, :]).mT


def region_points(shift: Tensor, shape: Tensor) -> Tensor:
    """Return the control points (…, 3, 2) of shift (…, 2) and shape (…, 2, 2)."""
    centre = shift[..., None, :]
    return torch.cat([centre, centre + shape.mT], dim=-2)


def moments(maps: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return centres (…, 2) and covariances (…, 2, 2) of heat maps (…, H, W) that each sum to 1.

    grid (H, W, 2): where the pixels are.
    """
    weights, places = maps.flatten(-2), grid.flatten(0, 1)
    centre = weights @ places
    offsets = places - centre[..., None, :]
    return centre, offsets.mT @ (offsets * weights[..., None])


def lower_factor(covariance: Tensor, least: float = 1e-12) -> Tensor:
    """Return L (…, 2, 2), lower triangular, its diagonal above 0, with L · Lᵀ = covariance (…, 2, 2).

    Smooth wherever there is a shape at all. The root by singular values, MRAA's, jumps for round regions,
    whose axes are any two. least: of the squares on the diagonal.
    """
    width = covariance[..., 0, 0].clamp(min=least).sqrt()
    slant = covariance[..., 0, 1] / width
    height = (covariance[..., 1, 1] - slant.square()).clamp(min=least).sqrt()
    rows = [torch.stack([width, torch.zeros_like(width)], dim=-1), torch.stack([slant, height], dim=-1)]
    return torch.stack(rows, dim=-2)
