"""Speech features without look-ahead: later speech changes nothing, and pieces of any length are alike."""

import numpy as np
import pytest

from rgx.gesture.speech.causal_mel import CausalMel
from rgx.gesture.types import SAMPLES_PER_FRAME

FRAMES = 30
WAVEFORM = np.random.default_rng(0).normal(0, 0.1, FRAMES * SAMPLES_PER_FRAME).astype(np.float32)


def test_later_speech_changes_no_earlier_frame():
    other = WAVEFORM.copy()
    other[12 * SAMPLES_PER_FRAME :] = 0
    speech = CausalMel(32)
    before, after = speech.features(WAVEFORM, FRAMES), speech.features(other, FRAMES)
    assert np.array_equal(before[:12], after[:12])
    assert not np.array_equal(before[12], after[12])


@pytest.mark.parametrize("piece", [1_000, 3_200, 7_777])
def test_pieces_of_any_length_give_the_same_bits_and_nothing_grows(piece):
    listener = CausalMel(32).listen()
    rows = []
    for begin in range(0, len(WAVEFORM), piece):
        rows.append(listener.push(WAVEFORM[begin : begin + piece]))
        assert len(listener.past) < 1_024
    assert np.array_equal(np.concatenate(rows), CausalMel(32).features(WAVEFORM, FRAMES))
