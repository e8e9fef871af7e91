"""S2G-Diffusion's videos for the test clips of a corpus, to be scored by `rgx score` (docs/external.md).

`python s2g_diffusion.py CORPUS OUT --repository S2G-MDDiffusion/inference --python ITS/PYTHON`

S2G-Diffusion (https://github.com/thuhcsi/S2G-MDDiffusion, MIT) makes a video of a picture and speech, 3.2 s
at a time. Written against the options of its `inference.py` at state 9dd85b3; it was not run with its weights
here. Of its public script it does not inherit two things: the first 3.2 s of speech are never heard, so
silence of that length goes before them; and what its last step asks of its options is never defined, so it is
here.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
from PIL import Image

from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.gesture.video.files import probe, read_frames, read_speech, write_mp4

SIZE_PX = 256
RUN = (
    "import argparse, runpy; argparse.Namespace.use_retrival = False; "
    "runpy.run_path('inference.py', run_name='__main__')"
)
"""Its script, with the option that it reads and never defines."""


def main() -> None:
    """Make a video for each test clip that has none yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repository", type=Path, required=True, help="its folder `inference`")
    parser.add_argument("--python", default="python", help="the Python of its environment")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with (asked.corpus / "index.csv").open(newline="", encoding="utf-8-sig") as file:
        clips = [row["clip"] for row in csv.DictReader(file) if row["split"] == "test"]
    for clip in clips:
        target = asked.out / f"{clip}.mp4"
        if not target.is_file():
            film(asked.corpus / "clips" / f"{clip}.mp4", target, asked.repository, asked.python)


def film(recording: Path, target: Path, repository: Path, python: str) -> None:
    """Write what S2G-Diffusion makes of a clip's first frame and speech, as long as the clip."""
    video = probe(recording)
    first = next(read_frames(recording, SIZE_PX))
    speech = read_speech(recording, video.start_s, video.frames * SAMPLES_PER_FRAME)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        Image.fromarray(first).save(work / "first.png")
        # The first frame is given, and what is said during it is not.
        write_wav(work / "speech.wav", whole_windows(speech[SAMPLES_PER_FRAME:]))
        options = {
            "wav_file": work / "speech.wav",
            "init_frame": work / "first.png",
            "feature_cache_dir": work / "features",
            "vis_dir": work / "shown",
        }
        words = [word for name, path in options.items() for word in (f"--{name}", str(path.resolve()))]
        subprocess.run([python, "-c", RUN, *words], cwd=repository, check=True)
        shown = list(read_frames(work / "shown" / "first.mp4", SIZE_PX))
    write_mp4(target, [first, *shown][: video.frames], speech)


def whole_windows(speech: np.ndarray) -> np.ndarray:
    """Return speech (S,) after a window of silence, which the script skips, filled up to whole windows."""
    window = WINDOW_FRAMES * SAMPLES_PER_FRAME
    return np.concatenate(
        [np.zeros(window, speech.dtype), speech, np.zeros(-len(speech) % window, speech.dtype)]
    )


def write_wav(path: Path, speech: np.ndarray) -> None:
    """Write speech (S,) in [−1, 1] as 16 bits at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((speech.clip(-1, 1) * 32767).round().astype("<i2").tobytes())


if __name__ == "__main__":
    main()
