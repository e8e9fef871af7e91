"""Thin-plate splines as backward maps: where in the source a place of the driving picture comes from.

Everything is a displacement from the identity, so that a spline without motion is the identity exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rgx.gesture.animate.limbs import Limbs
from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.nn.precision import sent

RIDGE = 1e-3
"""Added to the kernel block only: reading 30 says what it does to the identity on the affine rows. TPSMM's
0.01 leaves the points of a moving puppet 2.3 px of 256 off (95th percentile), this 0.3 px."""
FLAT = 0.002
"""Spread of a group (root mean square, in half picture widths) below which it does not say how the picture
turns or stretches in that direction; the linear part fades out there. Source: ours, reading 32."""


def kernel(squared: Tensor) -> Tensor:
    """Return U = r² log(r² + 1e-9) of squared distances. Source: reading 29."""
    return squared * torch.log(squared + 1e-9)


def squared_distances(places: Tensor, points: Tensor) -> Tensor:
    """Return (…, M, P) of places (…, M, 2) and points (…, P, 2), free of cancellation."""
    x, y = (places[..., axis, None] - points[..., None, :, axis] for axis in (0, 1))
    return x.square() + y.square()


@dataclass
class ThinPlate:
    """B × G splines: points and weights (B, G, P, 2), linear (B, G, 2, 2), centre and shift (B, G, 1, 2).

    The displacement of a place x is Σ weights · U(|x − points|²) + (x − centre) · linear + shift; of a place
    further from the centre than radius (B, G, 1, 1) that of the place at that distance.
    """

    points: Tensor
    weights: Tensor
    linear: Tensor
    centre: Tensor
    shift: Tensor
    radius: Tensor | None = None

    @classmethod
    def between(
        cls, driving: Tensor, source: Tensor, ridge: float = RIDGE, limbs: Limbs | None = None
    ) -> ThinPlate:
        """Return the splines that send control points driving to source, both (B, G, P, 2).

        The spline's equations are solved in the space of what no linear motion explains, which is
        positive definite for every group: collinear and coincident points included. float32 always.
        """
        with torch.autocast(driving.device.type, enabled=False):
            driving, moved = driving.float(), source.float() - driving.float()
            centre = driving.mean(-2, keepdim=True)
            offset = driving - centre
            count = driving.shape[-2]
            least = count * FLAT**2
            fade: float | Tensor = least
            turn, radius = offset.new_zeros(2, 2), None
            if limbs is not None:
                turned = offset + moved - moved.mean(-2, keepdim=True)
                turn, radius = limbs.turn(offset, turned, least), limbs.radius(offset)
                fade = torch.where(limbs.which, count * limbs.spread**2, least)
                # The spline is of what the turn leaves.
                moved = moved - offset @ turn
            covariance = offset.mT @ offset + fade * torch.eye(2, device=offset.device)
            inverse = torch.linalg.inv_ex(covariance).inverse
            # Iterated Tikhonov: wrong by (fade / spread²)², so nothing of a group that is not flat.
            fit = (inverse + fade * inverse @ inverse) @ offset.mT
            identity = torch.eye(count, device=offset.device)
            rest = identity - 1 / count - offset @ fit
            bend = kernel(squared_distances(driving, driving)) + ridge * identity
            system = rest @ bend @ rest + identity - rest
            weights = rest @ torch.linalg.solve_ex(system, rest @ moved).result
            straight = moved - bend @ weights
            linear, shift = fit @ straight + turn, straight.mean(-2, keepdim=True)
            return cls(driving, weights, linear, centre, shift, radius)

    @classmethod
    def random(
        cls, batch: int, affine: float, bend: float, side: int, device: torch.device | str | None = None
    ) -> ThinPlate:
        """Draw splines (B, 1) on a grid of side × side control points, affine part and weights normal.

        Source: reading 29; drawn on the CPU, so that a seed means the same on every device.
        """
        # Pixel centres end half a pixel before the edge; the control points lie on it.
        points = (pixel_grid(side, side) * side / max(1, side - 1)).reshape(1, 1, -1, 2)
        drawn = torch.randn(batch, 1, points.shape[2] + 3, 2)
        parts = (points, bend * drawn[:, :, 3:], affine * drawn[:, :, :2], torch.zeros(1, 1, 1, 2))
        return cls(*(sent(part, device or "cpu") for part in (*parts, affine * drawn[:, :, 2:3])))

    def displacement(self, places: Tensor) -> Tensor:
        """Return how far each spline moves places (M, 2) or (B, M, 2): (B, G, M, 2)."""
        with torch.autocast(self.points.device.type, enabled=False):
            places = places.float().unsqueeze(-3)
            offset = places - self.centre
            if self.radius is not None:
                distance = torch.linalg.vector_norm(offset, dim=-1, keepdim=True)
                offset = offset * (self.radius / torch.maximum(distance, self.radius))
                places = self.centre + offset
            bent = kernel(squared_distances(places, self.points)) @ self.weights
            return bent + offset @ self.linear + self.shift

    def moves(self, height: int, width: int, limit: float | None = None) -> Tensor:
        """Return the displacement of all pixels (B, G, H, W, 2), each coordinate within ±limit.

        Far from its points a spline can fling pixels out of the picture. Source: reading 32.
        """
        places = pixel_grid(height, width, self.points.device).reshape(-1, 2)
        moved = self.displacement(places).unflatten(2, (height, width))
        return moved if limit is None else moved.clamp(-limit, limit)
