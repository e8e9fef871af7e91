"""Annotation files of COCO-WholeBody: a list of images, and of people in them, as one clip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import numbers_in, rescaled, stacked
from rgx.gesture.skeleton import POINTS

NAME = "COCO-WholeBody annotations"
PARTS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
"""An annotation's lists of x, y and v, and how many points each has, in the order of the 133."""


def tells(content: Any) -> bool:
    """Return whether a JSON file is an annotation file."""
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def read(path: Path, content: Any, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of an annotation file, an image a frame, in order of the images' ids.

    A point that is labelled has score 1. Raises InputError for images of another shape than the video's,
    annotations of images that are not listed and lists of other lengths.
    """
    images: dict[Any, np.ndarray] = {}
    listed = content["images"]
    if not isinstance(listed, list) or not all(isinstance(image, dict) and "id" in image for image in listed):
        raise InputError(f"{path}: 'images' is no list of images with an 'id'")
    for image in sorted(listed, key=lambda image: str(image["id"]).zfill(20)):
        where = f"{path}: image {image['id']}"
        size = numbers_in(where, [image.get("width", width_px), image.get("height", height_px)])
        images[image["id"]] = rescaled(where, tuple(size.tolist()), (width_px, height_px))
    _check_names(path, sorted(listed, key=lambda image: str(image["id"]).zfill(20)))
    people: dict[Any, list[np.ndarray]] = {number: [] for number in images}
    texts = {str(number): number for number in images}
    for n, annotation in enumerate(content["annotations"]):
        number = annotation.get("image_id") if isinstance(annotation, dict) else None
        number = number if number in images else texts.get(str(number), number)
        if number not in images:
            raise InputError(f"{path}: annotation {n} is of image {number!r}, which 'images' does not list")
        people[number].append(_person(f"{path}: annotation {n}", annotation, images[number]))
    if not images:
        raise InputError(f"{path}: no images")
    return stacked([np.array(some, np.float32).reshape(-1, POINTS, 3) for some in people.values()])


def _check_names(path: Path, images: list[dict[str, Any]]) -> None:
    """Raise InputError where images in order of their ids are not in that of the numbers in their names."""
    digits = [re.findall(r"[0-9]+", Path(str(image.get("file_name", ""))).stem) for image in images]
    if not all(digits):
        return
    order = [int(groups[-1]) for groups in digits]
    if len(set(order)) == len(order) and order != sorted(order):
        n = next(n for n in range(1, len(order)) if order[n] < order[n - 1])
        names = " before ".join(repr(image["file_name"]) for image in images[n - 1 : n + 1])
        raise InputError(f"{path}: by their ids {names}: expected ids that follow the pictures in time")


def _person(where: str, annotation: dict[str, Any], scale: np.ndarray) -> np.ndarray:
    parts = []
    for name, count in PARTS.items():
        numbers = numbers_in(f"{where}: {name}", annotation.get(name) or [0] * 3 * count)
        if numbers.shape != (3 * count,):
            raise InputError(f"{where}: {name} has {numbers.size} numbers, expected {3 * count}")
        parts.append(numbers.reshape(count, 3))
    points = np.concatenate(parts)
    return scored(points[:, :2] * scale, np.minimum(points[:, 2], 1))
