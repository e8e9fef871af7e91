"""What a stage asks of a machine; never part of what its result is."""

from __future__ import annotations

from rgx.errors import InputError, nearest
from rgx.registry import register

COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")
"""Those of torch.compile: fused kernels; the same in one CUDA graph; the fastest of several, tried out."""


@register("resources", "stage", label="Resources of a stage")
class Resources:
    """Processors (also its threads), GPUs, memory in GB, custom Ray resources and time of one stage.

    gpus: None asks for one where the stage can use it and the machines have one, or, once the same stage ran
    with another seed, for the share of one that its memory needs. Bound for all stages
    (`resources.stage.cpus = 2`) or for one (`training/resources.stage.gpus = 1`). A training may be given
    several, which share its steps, or several processes without any. cpus: of each process.
    time_limit_s: how long it may run, counted from where it starts or goes on; then it has failed, and its
    checkpoint is kept. checkpoint_minutes: the longest that a training goes without a checkpoint, beside
    those by steps. stall_minutes: a stage that has not moved for so long is told; end_stalled: and then it
    has failed, with its checkpoint kept. compile: a mode of torch.compile for the networks that a training
    names as ready for it; another way to the same sums, so that results differ by rounding.
    """

    def __init__(
        self,
        cpus: float = 1,
        gpus: float | None = None,
        memory_gb: float | None = None,
        custom: dict[str, float] | None = None,
        time_limit_s: float | None = None,
        checkpoint_minutes: float = 5,
        stall_minutes: float = 30,
        end_stalled: bool = False,
        compile: str | None = None,
        processes: int | None = None,
    ) -> None:
        for name, value in (("cpus", cpus), ("gpus", gpus or 0), ("memory_gb", memory_gb or 0)):
            if value < 0:
                raise InputError(f"resources.stage.{name} = {value:g}: expected 0 or more")
        if gpus is not None and gpus > 1 and not float(gpus).is_integer():
            raise InputError(f"resources.stage.gpus = {gpus:g}: expected a whole number, or less than 1")
        if processes is not None and processes < 1:
            raise InputError(f"resources.stage.processes = {processes}: expected 1 or more")
        self.processes = processes or max(1, int(gpus or 1))
        if gpus not in (None, 0, self.processes) and self.processes > 1:
            raise InputError(
                f"resources.stage.processes = {processes}: expected as many as gpus = {gpus:g}, or gpus = 0"
            )
        if time_limit_s is not None and time_limit_s <= 0:
            raise InputError(f"resources.stage.time_limit_s = {time_limit_s:g}: expected more than 0")
        self.cpus, self.gpus, self.memory_gb, self.custom = cpus, gpus, memory_gb, custom or {}
        for name, value in (("checkpoint_minutes", checkpoint_minutes), ("stall_minutes", stall_minutes)):
            if not value > 0:
                raise InputError(f"resources.stage.{name} = {value:g}: expected more than 0")
        self.time_limit_s = time_limit_s
        self.checkpoint_minutes, self.stall_minutes = checkpoint_minutes, stall_minutes
        self.end_stalled = end_stalled
        if compile is not None and compile not in COMPILE_MODES:
            raise InputError(
                f"resources.stage.compile = {compile!r}: expected one of {', '.join(COMPILE_MODES)}"
                f"{nearest(compile, COMPILE_MODES)}"
            )
        self.compile = compile

    def refuse_sharing(self, stage: str) -> None:
        """Raise InputError where a stage that cannot share its work is given to several processes."""
        if self.processes > 1:
            argument = "gpus" if self.gpus else "processes"
            raise InputError(
                f"resources.stage.{argument} = {self.processes}: stage {stage} does not train, and only a "
                f"training is shared: expected 1, or TRAINING/resources.stage.{argument} for those that train"
            )

    @property
    def longest_stall_s(self) -> float | None:
        """The longest that a stage may go without progress, or None where it is only told."""
        return 60 * self.stall_minutes if self.end_stalled else None

    @property
    def threads(self) -> int:
        """The threads that each process of a stage computes with, the same in every engine."""
        return max(1, int(self.cpus))

    def wanted(self, uses_gpu: bool, machines_have_gpus: bool, share: float = 1.0) -> dict[str, float]:
        """Return what to ask Ray for; share: of a GPU, for a stage that can use one and binds nothing."""
        # Processes that share a training have a card each.
        usual = (share if self.processes == 1 else self.processes) * (uses_gpu and machines_have_gpus)
        asked = {
            "CPU": self.cpus * self.processes,
            "GPU": usual if self.gpus is None else self.gpus,
            "memory": (self.memory_gb or 0) * 1e9,
            **self.custom,
        }
        return {name: amount for name, amount in asked.items() if amount or name == "CPU"}
