"""Whether a generator can learn at all: `python benchmarks/sanity.py diffusion [--steps 600] [--bind LINE …]`.

It trains on eight windows of puppets only and is then asked for those: what is left of their variance (about
their mean over time and windows; the bar is 10 %), and how far frame 0 lies from the frame before it, against
real motion (bar: the 95th percentile of real steps). Any generator by name that works on raw landmarks, in the
sizes of a scale, tiny unless said; sampling is deterministic where the sampler can be (DDIM with eta 0).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

