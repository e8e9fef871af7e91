"""Pictures and sampling grids: the one place that says where a pixel is.

Pixel i of n has its centre at (2i + 1) / n − 1; −1 and 1 are the picture's edges. So a grid means the same
at every resolution, and nothing shifts by half a pixel between scales.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pixel_grid(height: int, width: int, device: torch.device | str | None = None) -> Tensor:
    """Return the centres of all pixels as (H, W, 2), x then y, in [−1, 1]."""
    # Centres, not corners: the first lies half a pixel inside the edge.
    y, x = (((torch.arange(n, device=device) * 2 + 1) / n - 1) for n in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def sample(picture: Tensor, grid: Tensor, padding: str = "border") -> Tensor:
    """Return the picture (B, C, H, W) at the places of grid (B, h, w, 2), bilinear.

    In float32 whatever the picture is in: bf16 knows no place finer than a pixel of 256.
    """
    with torch.autocast(picture.device.type, enabled=False):
        sampled = F.grid_sample(picture.float(), grid.float(), padding_mode=padding, align_corners=False)
    return sampled.to(picture.dtype)


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the picture (B, C, H, W) at another size: bilinear, with a low-pass where it shrinks."""
    if picture.shape[-2:] == size:
        return picture
    shrinks = size[0] < picture.shape[-2] or size[1] < picture.shape[-1]
    return F.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=shrinks)


def enlarge(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the picture (B, C, H, W) at a larger size, bicubic, a little beyond its range at edges."""
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False)


def resize_grid(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a sampling grid (B, H, W, 2) at another size, its values unchanged in meaning.

    The displacement is interpolated, not the position, so that an identity grid stays one to its edges.
    """
    if grid.shape[1:3] == size:
        return grid
    here = pixel_grid(grid.shape[1], grid.shape[2], grid.device)
    shift = F.interpolate(
        (grid - here).permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False
    ).permute(0, 2, 3, 1)
    return shift + pixel_grid(*size, grid.device)
