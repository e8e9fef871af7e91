"""The state of every stream of random numbers a training may draw from, as tensors."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def random_state(on_gpu: bool) -> dict[str, Tensor]:
    """Return the state of Python's, NumPy's and PyTorch's streams, the GPU's too where it is ours."""
    name, words, *rest = np.random.get_state(legacy=True)
    state = {
        "random": torch.get_rng_state(),
        "random_python": _letters(json.dumps(random.getstate())),
        "random_numpy": _letters(json.dumps([name, np.asarray(words).tolist(), *rest])),
    }
    return state | ({"random_cuda": torch.cuda.get_rng_state()} if on_gpu else {})


def restore_random_state(state: Mapping[str, Tensor], on_gpu: bool) -> None:
    """Have every stream go on from a state; one that the state does not know stays as it is."""
    torch.set_rng_state(state["random"])
    if "random_python" in state:
        version, words, gauss = json.loads(_text(state["random_python"]))
        random.setstate((version, tuple(words), gauss))
    if "random_numpy" in state:
        name, words, *rest = json.loads(_text(state["random_numpy"]))
        np.random.set_state((name, np.array(words, np.uint32), *rest))
    if "random_cuda" in state and on_gpu:
        torch.cuda.set_rng_state(state["random_cuda"])


def _letters(text: str) -> Tensor:
    """Return text as a tensor of bytes; JSON gives back each number exactly."""
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def _text(letters: Tensor) -> str:
    return bytes(letters.tolist()).decode()
