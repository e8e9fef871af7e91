"""What holds the splines of limbs: they turn as a whole, reach so far, and hang on one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MARGIN = 0.05
"""Of flesh around a limb's points, in half picture widths: an arm's half width. Source: ours."""
FAR = 1e3
"""The reach of a spline that is no limb's: beyond every picture, and finite, as gradients must be."""
STRENGTH, SHARPER, LEAST = 20.0, 4, 0.3
"""A limb's share of the mask begins with the logit strength · (heat ^ sharper − least), by the heat of its
nearest control point; the background's begins with 0. Source: ours, reading 84."""
LINKS = 4
"""The longest way from a part to the trunk: finger, palm, fore-arm, upper arm, torso."""


class Limbs(nn.Module):
    """Which of G splines move a limb: a part that turns as a whole, and moves nothing far from itself.

    spread: of its points, in half picture widths, below which they do not say how the picture stretches in
    that direction; it then turns with the rest. reach: how far from its points' middle a limb moves places
    by where they are, in radii of its points; further out all move as there. follows: the number of the
    part that each hangs on, its own where on none. Source: ours, reading 80.
    """

    def __init__(
        self, which: tuple[bool, ...], spread: float, reach: float, follows: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.spread, self.reach = spread, reach
        self.which: Tensor
        self.follows: Tensor
        self.register_buffer("which", torch.tensor(which)[:, None, None], persistent=False)
        hangs = torch.tensor(follows or tuple(range(len(which))))
        self.register_buffer("follows", hangs, persistent=False)

    def turn(self, driving: Tensor, source: Tensor, least: float) -> Tensor:
        """Return each limb's rotation less the identity, (B, G, 2, 2), of offsets (B, G, P, 2); 0 of others.

        least: the sum of squared offsets from which on points say how they turn.
        """
        along = (driving * source).sum((-2, -1)) + least
        across = (driving[..., 0] * source[..., 1] - driving[..., 1] * source[..., 0]).sum(-1)
        length = torch.hypot(along, across)
        cosine, sine = along / length - 1, across / length
        turn = torch.stack([cosine, sine, -sine, cosine], dim=-1).unflatten(-1, (2, 2))
        return turn * self.which

    def radius(self, offset: Tensor) -> Tensor:
        """Return how far each spline moves places by where they are, (B, G, 1, 1); offset (B, G, P, 2)."""
        extent = torch.linalg.vector_norm(offset, dim=-1, keepdim=True).amax(-2, keepdim=True)
        return (self.reach * extent + MARGIN).where(self.which, FAR)

    def nearness(self, heat: Tensor) -> Tensor:
        """Return what a limb's logit begins with, (B, G, H, W), of heat maps (B, G, P, H, W); 0 of others."""
        return STRENGTH * (heat.amax(2) ** SHARPER - LEAST) * self.which

    def followed(self, points: Tensor, seen: Tensor) -> Tensor:
        """Return control points (B, G, P, 2) with those of a part not seen from the one that it hangs on.

        seen (B, G): whether any point of a part is. Where nothing up to the trunk is, the trunk's are taken.
        """
        number = torch.arange(len(self.follows), device=seen.device).expand_as(seen)
        for _ in range(LINKS):
            number = torch.where(seen.gather(1, number), number, self.follows[number])
        return points.gather(1, number[..., None, None].expand_as(points))
