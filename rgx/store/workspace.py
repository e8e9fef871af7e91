"""What a running stage reads from its parents and writes for its children."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.store.artifacts import RESERVED, write_json
from rgx.store.checkpoints import Checkpoints, StepOrigin
from rgx.store.samples import SAMPLES, Samples

PROGRESS_EVERY_S = 0.5


class Inputs:
    """The artifacts of a stage's parents: what they built (weights loaded), arrays and facts."""

    def __init__(self, built: Mapping[str, Any], folders: Mapping[str, Path]) -> None:
        self.built = built
        self.folders = folders

    def arrays(self, stage: str, name: str = "arrays") -> dict[str, Tensor]:
        """Return a parent's named tensors."""
        return load_file(self.folders[stage] / f"{name}.safetensors")

    def about(self, stage: str) -> dict[str, Any]:
        """Return a parent's JSON facts."""
        return json.loads((self.folders[stage] / "about.json").read_text())


class Workspace:
    """A stage's own folder while it runs, with its seed, device, log, progress and checkpoint."""

    def __init__(
        self,
        folder: Path,
        device: str,
        report: Callable[[dict[str, Any]], None],
        origin: StepOrigin | None = None,
        go_on: bool = False,
        checkpoint_s: float = 300.0,
        compile_mode: str | None = None,
    ) -> None:
        self.folder, self.device, self._report, self._compile_mode = folder, device, report, compile_mode
        folder.mkdir(parents=True, exist_ok=True)
        self._last = 0.0
        self._goes_on = False
        self.notes: list[str] = []
        """What there is to know of its checkpoints and how it computed, in the order in which it was said."""
        self.checkpoints = Checkpoints(folder, self._tell, origin, go_on, checkpoint_s)

    def save_arrays(self, arrays: Mapping[str, Tensor], name: str = "arrays") -> None:
        """Write named tensors; raises InputError for a name that is the framework's own."""
        if f"{name}.safetensors" in RESERVED:
            raise InputError(f"arrays cannot be saved as {name!r}: rgx itself keeps a file of that name")
        save_file({k: v.contiguous() for k, v in arrays.items()}, self.folder / f"{name}.safetensors")

    def save_network(self, network: nn.Module) -> None:
        """Write a network's parameters and buffers."""
        self.save_arrays({k: v.detach().cpu().clone() for k, v in network.state_dict().items()}, "network")

    def save_about(self, about: Mapping[str, Any]) -> None:
        """Write JSON facts."""
        write_json(self.folder / "about.json", about)

    def save_samples(self, samples: Samples) -> None:
        """Write what scores are means of; the stage has to return each of these scores."""
        write_json(self.folder / SAMPLES, samples.model_dump())

    def capture(self, networks: Iterable[nn.Module]) -> None:
        """Compile networks, which see one shape at every step, where `resources.stage.compile` says how."""
        if self._compile_mode is None:
            return
        for network in networks:
            network.compile(mode=self._compile_mode, dynamic=False)
        # In the manifest too: the same sums in another order are other last bits.
        if (line := f"networks compiled: {self._compile_mode}") not in self.notes:
            self._tell(line)

    def log(self, line: str) -> None:
        """Append a line to the stage's log."""
        with (self.folder / "log.txt").open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def progress(self, done: int, total: int, **values: float | Tensor) -> None:
        """Say how far the stage is; at most twice a second, the last one always."""
        now = time.monotonic()
        if done < total and now - self._last < PROGRESS_EVERY_S:
            return
        self._last = now
        note = {"note": "; ".join(self.notes)} if self.notes else {}
        numbers = {name: float(value) for name, value in values.items()}
        self._report({"done": done, "total": total, "values": numbers, **note})

    def load_checkpoint(self) -> dict[str, Tensor] | None:
        """Return the last whole checkpoint of the code that runs, or None."""
        return self.checkpoints.load()

    def save_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Replace the last checkpoint in one step; raises StoppedError where the stage shall end."""
        self.checkpoints.save(state)

    def checkpoint_due(self) -> bool:
        """Return whether a checkpoint is wanted now, at whatever step the stage is."""
        return self.checkpoints.due()

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Put a step's values at the end of the training curve.

        What a run that broke off wrote beyond its last checkpoint gives way: each step is there once.
        """
        self.checkpoints.reach(step)
        path = self.folder / "curve.jsonl"
        if not self._goes_on and path.exists():
            there = path.read_text().splitlines(keepends=True)
            earlier = [line for line in there if line.endswith("\n") and json.loads(line)["step"] < step]
            fresh = path.with_name(".curve.new")
            fresh.write_text("".join(earlier))
            fresh.replace(path)
        self._goes_on = True
        with path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def _tell(self, line: str) -> None:
        """Say something in the log, with the progress and in the manifest."""
        self.log(line)
        self.notes.append(line)


def load_network(network: nn.Module, folder: Path, device: str) -> nn.Module:
    """Load a finished network for use by a child: frozen, in evaluation mode."""
    network.load_state_dict(load_file(folder / "network.safetensors"))
    return network.to(device).eval().requires_grad_(False)


def pick_device() -> str:
    """Return 'cuda' where there is a GPU, else 'cpu'."""
    return "cuda" if torch.cuda.is_available() else "cpu"
