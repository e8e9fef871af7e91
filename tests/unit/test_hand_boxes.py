"""The boxes of figures are those that the scores of hands are taken in."""

from __future__ import annotations

import numpy as np
import torch

from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND, kept_index
from rgx.gesture.video.hand_boxes import hand_boxes, square_around

SIZE = 32


def test_boxes_are_those_of_the_scores() -> None:
    random = np.random.default_rng(3)
    pose = random.uniform(-1.3, 1.3, (40, 123, 2)).astype(np.float32)
    pose[:, [kept_index(point) for point in (*LEFT_HAND, *RIGHT_HAND)]] *= random.uniform(0, 1, (40, 1, 1))
    valid = random.random((40, 123)) < 0.1
    valid[::7] = False
    pose[~valid] = np.nan
    boxes = hand_boxes(pose, valid, SIZE)
    mask = hand_mask(torch.from_numpy(pose), torch.from_numpy(valid), (SIZE, SIZE))[:, 0].numpy()
    for frame, own in zip(mask, boxes, strict=True):
        expected = np.zeros((SIZE, SIZE), bool)
        for left, top, right, bottom in own:
            expected[top:bottom, left:right] = True
        assert np.array_equal(frame, expected)
    assert 20 < mask.any((1, 2)).sum() <= 34


def test_a_square_lies_about_its_box_inside_the_picture() -> None:
    assert square_around(np.array([10, 12, 14, 20]), 8, SIZE) == (8, 12)
    assert square_around(np.array([0, 0, 3, 2]), 8, SIZE) == (0, 0)
    assert square_around(np.array([30, 28, 32, 32]), 8, SIZE) == (24, 24)
