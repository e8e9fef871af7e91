"""Edge heat-maps: Gaussians along segments, the strongest at every pixel (eqs. 5–7)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rgx.gesture.nn.grid import pixel_grid

EPSILON = 1e-8
"""Keeps eq. (6) finite for coincident points, in squared half picture widths. Source: reading 36."""
AT_ONCE = 2**20
"""Distances held at once while the strongest edge is sought; at 8 pictures of 256 px, two edges of 115."""
IN_CACHE = 2**17
"""The same on a CPU, where more leave its cache: a map of 256 px takes 48 ms so, and 73 ms with 2^20."""


class Strongest(NamedTuple):
    """Of every pixel the strongest edge's number, squared distance, variance and weight, each (B, H, W)."""

    number: Tensor
    distance: Tensor
    variance: Tensor
    weight: Tensor


def squared_distance(x: Tensor, y: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return the squared distance of places (x, y) to segments, all broadcast; start, end (…, 2).

    Squared, since the root has no gradient on the segment itself. Source: eq. (6), reading 36.
    """
    x_start, y_start = start.unbind(-1)
    x_along, y_along = (end - start).unbind(-1)
    x, y = x - x_start, y - y_start
    t = (x * x_along + y * y_along) / (x_along.square() + y_along.square() + EPSILON)
    t = t.clamp(0, 1)
    return (x - t * x_along).square() + (y - t * y_along).square()


def edge_map(start: Tensor, end: Tensor, thickness: Tensor, weight: Tensor, size: tuple[int, int]) -> Tensor:
    """Return max_e weight_e · exp(−d_e² / σ_e²) as (B, 1, H, W), rendered at exactly this size.

    start, end (B, E, 2) in [−1, 1]; thickness (E,) in the same units; weight (B, E), 0 for an edge unseen.
    σ² is thickness² and half a pixel's square: variances add, so σ never falls below half a pixel, where an
    edge would pass between pixels unseen, and its gradient never dies. Only the strongest edge of a pixel
    has a gradient; so it alone is worked out again with one, and memory does not grow with E.
    Source: eqs. (5)–(7), readings 34 to 37.
    """
    variance = thickness.square() + 1 / min(size) ** 2
    edge = strongest(start, end, variance, weight, size)
    return (edge.weight * torch.exp(-edge.distance / edge.variance))[:, None]


def strongest(
    start: Tensor, end: Tensor, variance: Tensor, weight: Tensor, size: tuple[int, int]
) -> Strongest:
    """Return of every pixel the edge of which weight · exp(−d² / variance) is the largest.

    start, end (B, E, 2) in [−1, 1], variance (E,), weight (B, E); gradients reach all four.
    """
    grid = pixel_grid(*size, start.device).to(start)
    x, y = grid[0, :, 0], grid[:, :1, 1]
    number = _number(x, y, start, end, variance, weight)
    table = torch.cat([start, end, variance.expand_as(weight)[..., None], weight[..., None]], dim=-1)
    rows = table.gather(1, number.flatten(1)[..., None].expand(-1, -1, table.shape[-1]))
    start, end, spread, weight = rows.unflatten(1, size).split((2, 2, 1, 1), dim=-1)
    return Strongest(number, squared_distance(x, y, start, end), spread[..., 0], weight[..., 0])


@torch.no_grad()
def _number(x: Tensor, y: Tensor, start: Tensor, end: Tensor, variance: Tensor, weight: Tensor) -> Tensor:
    """Return the number of the strongest edge at every pixel, (B, H, W); compares logarithms."""
    shape = (len(start), len(y), len(x))
    best = start.new_full(shape, -torch.inf)
    number = torch.zeros(shape, dtype=torch.long, device=start.device)
    at_once = AT_ONCE if start.is_cuda else min(AT_ONCE, IN_CACHE)
    step = max(1, at_once // best.numel())
    for first in range(0, start.shape[1], step):
        part = slice(first, first + step)
        distance = squared_distance(x, y, start[:, part, None, None], end[:, part, None, None])
        strength = weight[:, part, None, None].log() - distance / variance[part, None, None]
        top, which = strength.max(dim=1)
        number = torch.where(top > best, which + first, number)
        best = torch.maximum(best, top)
    return number
