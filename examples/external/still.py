"""The shortest adapter there is: a system that holds still, a pattern for one of your own (docs/external.md).

`python still.py INPUTS OUTPUTS` answers each request of rgx with its condition frame, or with its source
picture, 80 times over. Where yours calls another system, it reads NAME.wav, or NAME.driving.npz, too.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def main(inputs: Path, outputs: Path) -> None:
    """Answer every window of a folder of requests."""
    request = json.loads((inputs / "request.json").read_text(encoding="utf-8"))
    if request["contract"] != 1:
        sys.exit(f"contract {request['contract']}: this adapter knows 1")
    # What takes long to load is loaded here, once for all windows.
    answer = {"keypoints": keypoints, "pictures": pictures}[request["answers"]]
    for window in request["windows"]:
        answer(inputs, outputs, window["name"], request["frames"], request["fps"])


def keypoints(inputs: Path, outputs: Path, name: str, frames: int, fps: int) -> None:
    """Write NAME.npz: the condition frame again and again."""
    with np.load(inputs / f"{name}.npz") as condition:
        points, scores = (condition[array].repeat(frames, axis=0) for array in ("points", "scores"))
    np.savez(outputs / f"{name}.npz", points=points, scores=scores, fps=fps)


def pictures(inputs: Path, outputs: Path, name: str, frames: int, fps: int) -> None:
    """Write NAME/00.png, …: the source picture again and again."""
    (outputs / name).mkdir()
    with Image.open(inputs / f"{name}.source.png") as source:
        for frame in range(frames):
            source.save(outputs / name / f"{frame:02d}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
