"""Run an MMPose whole-body model over pictures from stdin; started by rgx in an interpreter that has it.

It imports nothing of rgx. The bytes it reads and writes are described in `isolated.py`.
"""

import glob
import json
import os
import pickle
import re
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HEADER = struct.Struct("<II")
POINTS = 133


def main() -> None:
    """Answer each picture with its people (P, 133, 3): x px, y px, score as the model gives it."""
    # What libraries print must not fall among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    find_people, find_points = _models(settings)
    answers.write(b"rgx1")
    answers.flush()
    pictures = sys.stdin.buffer
    while True:
        header = pictures.read(HEADER.size)
        if len(header) < HEADER.size:
            break
        height, width = HEADER.unpack(header)
        content = np.frombuffer(pictures.read(height * width * 3), np.uint8)
        # OpenMMLab's models take blue first.
        picture = np.ascontiguousarray(content.reshape(height, width, 3)[..., ::-1])
        boxes = find_people(picture)
        people = find_points(picture, boxes) if len(boxes) else np.zeros((0, POINTS, 3))
        answers.write(HEADER.pack(len(people), POINTS) + people.astype("<f4").tobytes())
        answers.flush()


def _models(settings: dict[str, Any]) -> tuple[Any, Any]:
    """Return what finds boxes (P, 4) in a picture, and points (P, 133, 3) in those."""
    for package in ("mmpose", "mmdet"):
        if find_spec(package) is None:
            sys.exit(f"MMPose cannot be imported: there is no {package}")
    weights = _weights(settings["checkpoint"])
    detector_weights = _weights(settings["detector_checkpoint"]) if settings["detector"] else {}
    try:
        _declare_operators()
        from mmdet.apis import inference_detector, init_detector
        from mmpose.apis import inference_topdown, init_model
        from mmpose.utils import adapt_mmdet_pipeline
    except ImportError as error:
        sys.exit(f"MMPose cannot be imported: {error}")
    device = settings["device"]
    model = init_model(_config(settings["config"]), None, device)
    if (points := model.dataset_meta["num_keypoints"]) != POINTS:
        sys.exit(f"{settings['config']}: a model of {points} points, expected the {POINTS} of COCO-WholeBody")
    _fill(model, weights, settings["checkpoint"])
    detector, person = None, 0
    if settings["detector"]:
        detector = init_detector(_config(settings["detector"]), None, device=device)
        _fill(detector, detector_weights, settings["detector_checkpoint"])
        detector.cfg = adapt_mmdet_pipeline(detector.cfg)
        person = list(detector.dataset_meta["classes"]).index("person")

    def find_people(picture: np.ndarray) -> np.ndarray:
        if detector is None:
            return np.array([[0, 0, picture.shape[1], picture.shape[0]]], np.float32)
        detected = inference_detector(detector, picture).pred_instances.cpu().numpy()
        sure = (detected.labels == person) & (detected.scores >= settings["least_score"])
        return detected.bboxes[sure]

    def find_points(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        detected = [sample.pred_instances for sample in inference_topdown(model, picture, boxes)]
        points = np.concatenate([instances.keypoints for instances in detected])
        scores = np.concatenate([instances.keypoint_scores for instances in detected])
        return np.concatenate([points, scores[..., None]], axis=-1)

    return find_people, find_points


def _declare_operators() -> None:
    """Name torchvision's operators where its library does not load, as beside a torch of another build.

    MMPose imports torchvision and uses neither.
    """
    import torch

    spec = find_spec("torchvision")
    libraries = sorted(Path(str(spec.origin)).parent.glob("_C*.so")) if spec else []
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        declared.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            declared[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


declared: list[Any] = []
"""Kept, since a library of operators goes with the object that declared it."""


def _config(name: str) -> str:
    """Return the path of a configuration: a file, or one that MMPose or MMDetection ships, by its name."""
    if Path(name).is_file():
        return name
    specs = [find_spec(package) for package in ("mmpose", "mmdet")]
    folders = [Path(str(spec.origin)).parent / ".mim" for spec in specs if spec]
    pattern = f"{glob.escape(name.removesuffix('.py'))}.py"
    configs = sorted(path for folder in folders for path in folder.rglob(pattern))
    if not configs:
        sys.exit(
            f"{name}: no such file, and neither MMPose nor MMDetection ships a configuration of this name"
        )
    return str(configs[0])


class Ignored:
    """Stands for what a checkpoint says beside its weights: arrays of its data, histories of its losses."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


IGNORED = (
    *("numpy.ndarray", "numpy.dtype", "mmengine.logging.history_buffer.HistoryBuffer"),
    *(f"numpy.{c}.multiarray.{f}" for c in ("core", "_core") for f in ("_reconstruct", "scalar")),
)


def _weights(checkpoint: str) -> dict[str, Any]:
    """Return the tensors of a file by name; it is read as weights only, and nothing in it is run."""
    import torch

    try:
        with torch.serialization.safe_globals([(Ignored, name) for name in IGNORED]):
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        return {name.removeprefix("module."): tensor for name, tensor in state.items()}
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))  # the rest tells how to load it all the same
        what = f"it asks for {asked[1]}, which could run code" if asked else "it holds more than weights"
        sys.exit(f"{checkpoint}: refused: {what}; expected weights only")
    except (OSError, RuntimeError, AttributeError, EOFError, ValueError, KeyError) as error:
        sys.exit(f"{checkpoint}: not a file of weights: {' '.join(str(error).split())[:300]}")


def _fill(model: Any, weights: dict[str, Any], checkpoint: str) -> None:
    """Give a model its weights; those of another model are an error, as are too few."""
    try:
        absent = model.load_state_dict(weights, strict=False).missing_keys
    except (RuntimeError, TypeError, AttributeError) as error:
        sys.exit(f"{checkpoint}: not the weights of this model: {' '.join(str(error).split())[:300]}")
    if absent:
        lacks = f"no {', '.join(absent[:3])}" + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
        sys.exit(f"{checkpoint}: not the weights of this model: {lacks}")


if __name__ == "__main__":
    main()
