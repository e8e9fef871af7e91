"""Axis poses: a whole-body model of MMPose, in this interpreter's environment or in one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from rgx.errors import InputError
from rgx.gesture.nn.weights import fingerprint_of
from rgx.gesture.poses.base import Extractor, same_size, scored
from rgx.gesture.poses.isolated import Environment, run_child
from rgx.registry import Outside, Place, register

OPENMMLAB = "https://download.openmmlab.com/mmpose/v1/projects"
RTMPOSE = Outside(
    "RTMPose-l, whole body",
    "the checkpoint of `config`, read as weights only",
    f"{OPENMMLAB}/rtmposev1/rtmpose-l_simcc-coco-wholebody_pt-aic-coco_270e-256x192-6f206314_20230124.pth",
    "Apache-2.0",
    sha256="6f206314",
)
RTMDET = Outside(
    "RTMDet-nano, people",
    "the checkpoint of `detector` (rtmdet_nano_320-8xb32_coco-person), read as weights only",
    f"{OPENMMLAB}/rtmpose/rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth",
    "Apache-2.0",
    sha256="05d8511e",
)

ENVIRONMENT = Environment(
    "mmpose-1.3.2",
    (
        ("torch==2.13.0", "numpy==2.4.6", "cython==3.3.1", "setuptools==80.10.2", "wheel==0.48.0"),
        ("--no-deps", "torchvision==0.28.0"),
        ("--no-build-isolation", "mmcv==2.1.0", "mmengine==0.10.7", "opencv-python==5.0.0.93"),
        # Its wheels are of NumPy 1.
        ("--no-deps", "--no-build-isolation", "--no-binary", "xtcocotools", "xtcocotools==1.14.3"),
        # Their own requirements name chumpy, which no longer builds, and which no whole-body model uses.
        ("--no-deps", "mmdet==3.3.0", "mmpose==1.3.2"),
        ("json_tricks==3.17.3", "munkres==3.0.0", "six==1.17.0", "pycocotools==2.0.11", "tqdm==4.70.1"),
        ("shapely==2.2.0", "terminaltables==3.1.10", "scipy==1.17.1", "matplotlib==3.11.2"),
    ),
    "MMCV has no wheel for this torch and takes some 20 minutes to build: name a folder with one in "
    "PIP_FIND_LINKS, or name an interpreter that has MMPose as poses.mmpose.python",
    {"mmpose": "1.3.2", "mmdet": "3.3.0", "mmcv": "2.1.0"},
)


@register("poses", "mmpose", label="MMPose", source="Jiang 2023 (RTMPose); Jin 2020 (COCO-WholeBody)")
class MMPose(Extractor):
    """A top-down whole-body model of MMPose on the people that a detector of MMDetection finds.

    config, detector: configurations, by path or by the name MMPose and MMDetection ship them under; they are
    Python and run. checkpoint, detector_checkpoint: their weights, read as weights only. Without a detector
    the whole picture is one person. least_score: what a detected person must have. python: an interpreter
    that has MMPose; without one, this one where it has it, else that of an environment made once, under
    RGX_CACHE or ~/.cache/rgx.
    """

    alone = True

    def __init__(
        self,
        config: Place = "rtmpose-l_8xb64-270e_coco-wholebody-256x192",
        checkpoint: Annotated[Place, RTMPOSE] = "",
        detector: Place = "",
        detector_checkpoint: Annotated[Place, RTMDET] = "",
        least_score: float = 0.3,
        device: Place = "cpu",
        python: Place = "",
    ) -> None:
        for name, path in (("checkpoint", checkpoint), ("detector_checkpoint", detector_checkpoint)):
            if not path and (detector or name == "checkpoint"):
                whence = "none is fetched (`rgx variants poses` says whence)"
                raise InputError(f"poses.mmpose.{name}: expected a file of weights; {whence}")
        if not 0 <= least_score <= 1:
            raise InputError(f"poses.mmpose.least_score = {least_score}: expected 0 to 1")
        self.weights = {"checkpoint": checkpoint, "detector_checkpoint": detector_checkpoint}
        self.people = None if detector else 1
        self.python = python
        self.settings = {
            "config": config,
            "detector": detector,
            **self.weights,
            "least_score": least_score,
            "device": device,
        }

    def fingerprint(self) -> str:
        """Return the digests of its weights and configurations, of a shipped configuration its name."""
        weights = [fingerprint_of(path) if path else "" for path in self.weights.values()]
        named = [str(self.settings[part]) for part in ("config", "detector")]
        return " ".join([*weights, *(fingerprint_of(n) if Path(n).is_file() else n for n in named)])

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield (P, 133, 3) for each picture, its people in order of the detector's scores."""
        python = Path(self.python) if self.python else ENVIRONMENT.interpreter()
        script = Path(__file__).with_name("mmpose_child.py")
        for people in run_child(python, script, self.settings, same_size(frames), "poses.mmpose"):
            yield scored(people[..., :2], people[..., 2])
