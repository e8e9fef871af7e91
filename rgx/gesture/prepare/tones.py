"""Colours of high dynamic range, hybrid log-gamma and perceptual quantiser, to those of common screens."""

from __future__ import annotations

import functools

import numpy as np

PQ, HLG = 16, 18
"""FFmpeg's numbers for the two transfer functions."""
NAMES = {PQ: "PQ", HLG: "HLG"}
WHITE_NITS, PEAK_NITS, GAMMA = 203.0, 1000.0, 1.2
"""Reference white, and the display and system gamma that HLG is made for. Source: ITU-R BT.2408, BT.2100."""
KNEE = 0.9
"""Brighter than this share of white is compressed, so that highlights keep a trace."""
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear BT.2020 to linear BT.709. Source: ITU-R BT.2087."""
SCREEN_GAMMA = 2.4
"""Source: ITU-R BT.1886."""


def is_bright(transfer: int) -> bool:
    """Return whether pictures of a transfer function look washed out where they are taken for BT.709."""
    return transfer in NAMES


def to_screen(picture: np.ndarray, transfer: int) -> np.ndarray:
    """Return a picture (H, W, 3) uint16 RGB of that transfer in BT.2020 as (H, W, 3) uint8 of BT.709.

    Reference white becomes white. Source: ours, with the functions of ITU-R BT.2100 and BT.2408.
    """
    linear = _nits(transfer)[picture] / np.float32(WHITE_NITS)
    linear = np.maximum(linear @ TO_BT709.T, 0)
    over = linear > KNEE
    linear[over] = KNEE + (1 - KNEE) * np.tanh((linear[over] - KNEE) / (1 - KNEE))
    return (linear ** np.float32(1 / SCREEN_GAMMA) * 255 + 0.5).astype(np.uint8)


@functools.cache
def _nits(transfer: int) -> np.ndarray:
    """Return what each of 65,536 signals is in nits, channel by channel."""
    signal = np.linspace(0, 1, 2**16)
    return (_hlg(signal) if transfer == HLG else _pq(signal)).astype(np.float32)


def _hlg(signal: np.ndarray) -> np.ndarray:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return PEAK_NITS * scene**GAMMA


def _pq(signal: np.ndarray) -> np.ndarray:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
