"""Extractors as tests run them: in environments made once, MMPose with random weights in shipped shapes."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from rgx.gesture.poses.mediapipe import ENVIRONMENT as MEDIAPIPE
from rgx.gesture.poses.mmpose import ENVIRONMENT as MMPOSE

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
POSE = "rtmpose-m_8xb64-270e_coco-wholebody-256x192"
DETECTOR = "rtmdet_nano_320-8xb32_coco-person"
CHILD = Path(__file__).resolve().parents[1] / "rgx/gesture/poses/mmpose_child.py"
MAKE_WEIGHTS = """
import runpy, sys
import numpy as np
child = runpy.run_path(sys.argv[1])
child["_declare_operators"]()
import torch
from mmdet.apis import init_detector
from mmpose.apis import init_model
torch.manual_seed(0)
pose = init_model(child["_config"](sys.argv[3]), None, "cpu").state_dict()
said = {"epoch": 3, "dataset_meta": {"sigmas": np.ones(133, np.float32), "mean": np.float64(3)}}
torch.save({"state_dict": pose, "meta": said}, sys.argv[2] + "/pose.pth")
shipped = child["_config"](sys.argv[4])
with open(sys.argv[2] + "/detector.py", "w") as file:
    file.write(f"_base_ = [{shipped!r}]\\nmodel = dict(test_cfg=dict(max_per_img=3))\\n")
detector = init_detector(shipped, None, device="cpu")
with torch.no_grad():
    for layer in detector.bbox_head.rtm_reg:
        layer.bias.fill_(6.0)
torch.save(detector.state_dict(), sys.argv[2] + "/detector.pth")
"""
"""Weights as MMPose saves them, NumPy beside the tensors; the detector's boxes are large enough to keep."""


@functools.cache
def mediapipe_python() -> str:
    """Return the interpreter with MediaPipe, made on first use."""
    return str(MEDIAPIPE.interpreter())


@functools.cache
def mmpose_python() -> str:
    """Return the interpreter with MMPose, made on first use with the wheel of MMCV that lies in ../shared."""
    wheels = SHARED / "wheels"
    if not list(wheels.glob("mmcv-*.whl")):
        pytest.skip("needs ../shared/wheels: MMCV takes 20 minutes to build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", f"{os.environ.get('PIP_FIND_LINKS', '')} {wheels}".strip())
        return str(MMPOSE.interpreter())


@functools.cache
def _weights() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    command = [mmpose_python(), "-I", "-c", MAKE_WEIGHTS, str(CHILD), folder.name, POSE, DETECTOR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-2000:]
    return folder


def mmpose_weights() -> dict[str, str]:
    """Return the parameters of MMPose with a whole-body model of random weights."""
    return {"config": POSE, "checkpoint": f"{_weights().name}/pose.pth", "python": mmpose_python()}


def detector_weights() -> dict[str, str]:
    """Return the parameters of a detector of people with random weights: it sees three all over."""
    folder = _weights().name
    return {"detector": f"{folder}/detector.py", "detector_checkpoint": f"{folder}/detector.pth"}
