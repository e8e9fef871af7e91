"""A video whose pictures may change size midway."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME


def write_jpegs(path: Path, *widths: int) -> None:
    """A silent video whose every frame is a JPEG of its own width, so that its size may change midway."""
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("mjpeg", rate=25)
        video.width = video.height = widths[0]
        video.pix_fmt = "yuvj420p"
        sound = out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        out.start_encoding()
        for n, width in enumerate(widths):
            jpeg = io.BytesIO()
            Image.fromarray(np.full((width, width, 3), 90, np.uint8)).save(jpeg, "jpeg")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.time_base = video, Fraction(1, 25)
            packet.pts = packet.dts = n
            packet.is_keyframe = True
            out.mux(packet)
            silence = np.zeros((1, SAMPLES_PER_FRAME), np.float32)
            silent = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            silent.sample_rate, silent.pts = SAMPLE_RATE_HZ, n * SAMPLES_PER_FRAME
            out.mux(sound.encode(silent))
        out.mux(sound.encode(None))
