"""What animated pictures are compared by, hands for more than the rest."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.nn.grid import resize
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.types import Pairs

SMALLEST_PX = 16
"""The coarsest picture of the perceptual pyramid of 1, ½, ¼ and ⅛. Source: ours."""


def hand_weights(pairs: Pairs, hand_weight: float) -> Tensor | None:
    """Return what an error counts at each pixel of driving pictures, (B, 1, H, W); None where all do 1."""
    if hand_weight == 1:
        return None
    size = (pairs.driving.shape[-2], pairs.driving.shape[-1])
    hands = hand_mask(pairs.driving_pose, pairs.driving_valid, size)
    return 1 + (hand_weight - 1) * hands.to(pairs.driving)


def weighted_mean(error: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over pictures of each one's weighted mean error (B, C, h, w); weight (B, 1, H, W).

    Within a picture, so that all pictures count alike, in whatever shares a batch is worked on.
    """
    if weight is None:
        return error.mean()
    weight = resize(weight, (error.shape[-2], error.shape[-1]))
    total = (error.float().mean(1, keepdim=True) * weight).sum((1, 2, 3))
    return (total / weight.sum((1, 2, 3))).mean()


def pyramid_distance(
    perceptual: PerceptualFeatures, generated: Tensor, real: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Return the perceptual distance summed over the sizes 1, ½, ¼ and ⅛, down to 16 px.

    weight (B, 1, H, W): what an error counts.
    """
    total = generated.new_zeros(())
    for level in range(4):
        size = (generated.shape[-2] // 2**level, generated.shape[-1] // 2**level)
        if level and min(size) < SMALLEST_PX:
            break
        total = total + distance(perceptual, resize(generated, size), resize(real, size), weight)
    return total


def distance(
    perceptual: PerceptualFeatures, generated: Tensor, real: Tensor, weight: Tensor | None
) -> Tensor:
    """Return the distance in features of pictures of one size, weighted at the size of each layer."""
    if weight is None:
        return perceptual.distance(generated, real)
    layers = zip(perceptual(generated), perceptual(real), strict=True)
    errors = [weighted_mean((a - b.detach()).abs(), weight) for a, b in layers]
    return sum(errors, start=generated.new_zeros(()))
