"""The schema of all that a store keeps as JSON; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeVar, get_args

from pydantic import BaseModel, Field, FiniteFloat, StringConstraints, ValidationError, field_validator
from typing_extensions import TypedDict

from rgx.errors import InputError
from rgx.store.artifacts import LAST, PREVIOUS
from rgx.yaml_errors import first_problem

Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Model = TypeVar("Model", bound=BaseModel)
State = Literal["open", "finished", "stopped", "failed"]
Direction = Literal["down", "up", "reference"]
Split = Literal["train", "dev", "test"]
"""Training reads train, choices read dev, tables read test."""
SPLITS: tuple[Split, ...] = get_args(Split)
FORMER_DIRECTIONS = {"real": "reference"}
"""What manifests of earlier versions call a direction, and what it is called now."""
MOST_DECIMALS = 12


class FileFacts(TypedDict):
    """What a manifest says of one file of its artifact."""

    sha256: str
    bytes: int


class Manifest(TypedDict):
    """What a finished artifact says of itself; identity: the part of the record that its key is made of.

    segments: who took which training steps, {'from', 'to', 'code', 'host', 'device'}, where any were taken;
    notes: what was said of its checkpoints and how it computed; remarks: what its data was too little for;
    gpu_memory: {'peak_bytes', 'card_bytes'}, the most it held of a GPU's memory and what that has.
    What only some manifests have is left out where it is not known: of other versions, or from elsewhere.
    """

    stage: str
    key: str
    record: dict[str, Any]
    identity: NotRequired[dict[str, Any]]
    version: int
    parents: dict[str, str]
    fingerprint: str
    seed: int | None
    row: NotRequired[str]
    gin: NotRequired[str]
    outputs: NotRequired[dict[str, Any]]
    code: NotRequired[dict[str, Any]]
    segments: NotRequired[list[dict[str, Any]]]
    notes: NotRequired[list[str]]
    remarks: NotRequired[list[str]]
    files: NotRequired[dict[str, FileFacts]]
    started: NotRequired[float]
    seconds: NotRequired[float]
    cpu_seconds: NotRequired[float]
    host: NotRequired[str]
    gpu: NotRequired[str]
    gpu_memory: NotRequired[dict[str, int]]
    software: NotRequired[dict[str, str]]


class ForeignFile(BaseModel):
    """A file as a manifest from elsewhere describes it."""

    sha256: Key
    bytes: int = Field(ge=0)


class ForeignManifest(BaseModel):
    """What a manifest from elsewhere must say before its artifact is taken into a store."""

    stage: str
    key: Key
    record: dict[str, object]
    version: int
    parents: dict[Name, Key]
    fingerprint: str
    seed: int | None
    outputs: dict[str, object]
    identity: dict[str, object] | None = None
    files: dict[str, ForeignFile]


class MetricFacts(BaseModel):
    """What a reader must know of a metric, as its manifest tells it; split: None where it is not said."""

    label: str
    direction: Direction | None = None
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=MOST_DECIMALS)] = 3
    protocol: str = ""
    stand_in: bool = False
    reference_is: str = ""
    split: Split | None = None
    reference_line: str = ""

    @field_validator("direction", mode="before")
    @classmethod
    def _as_now_called(cls, given: Any) -> Any:
        return FORMER_DIRECTIONS.get(given, given) if isinstance(given, str) else given


class SweepRow(BaseModel):
    """One cell of a sweep at one seed, and the full key of each stage it needs.

    definition: what the row is whatever its seed, where that is known; another one begins the row anew;
    left_out: by stage, what it was asked for and no record holds, since it changes nothing;
    imported: the file of the bundle that says so, where it was not planned here;
    chosen_on: of a trial of a search, the split whose scores it is chosen by.
    """

    panel: str
    row: str
    seed: int
    stages: dict[str, str]
    definition: str = ""
    left_out: dict[str, dict[str, Any]] = {}
    imported: str = ""
    chosen_on: Split | None = None


class Run(BaseModel):
    """Which artifact stands behind each row of a sweep at each seed: of one run, or of all of its name.

    whole: whether these are all rows of the sweep file, so that others of its name are no more in it;
    variants: the modules behind each variant; places: the folder that holds each top package or file;
    seed_scopes: panel → what a seed repeats there, where that is not `seed_scope`.
    """

    name: str
    seeds: list[int]
    rows: list[SweepRow]
    seed_scope: str = "each seed repeats the whole pipeline"
    seed_scopes: dict[str, str] = {}
    whole: bool = True
    variants: dict[str, list[str]] = {}
    places: dict[str, str] = {}


class Invocation(Run):
    """One run as its own file tells it; started: seconds since 1970.

    digests: SHA-256 of what it was asked by file, and of the code behind its stages by module.
    """

    started: float = 0.0
    argv: list[str] = []
    overrides: list[str] = []
    user: str = ""
    host: str = ""
    rgx: str = ""
    digests: dict[str, str] = {}


class Score(BaseModel):
    """A metric's mean over the seeds, and what it costs: lower is better."""

    value: FiniteFloat
    cost: FiniteFloat


class Climbed(BaseModel):
    """A rung a trial began: its row, the key of each stage at each seed, its score, what it leaves out."""

    row: str
    cells: list[tuple[int, dict[str, str]]]
    score: Score | None = None
    left_out: dict[str, dict[str, Any]] = {}


class Trial(BaseModel):
    """One trial; `open` until it climbed every rung, was stopped on one, or failed for a reason."""

    point: tuple[float, ...]
    values: dict[str, Any]
    state: State = "open"
    reason: str = ""
    rungs: list[Climbed] = []

    @property
    def last(self) -> Climbed | None:
        """The last rung with a score."""
        scored = [rung for rung in self.rungs if rung.score is not None]
        return scored[-1] if scored else None

    @property
    def cost(self) -> float | None:
        """What its last score costs; None for a trial that failed or has no score."""
        last = self.last
        return None if self.state == "failed" or last is None or last.score is None else last.score.cost


class SearchRecord(BaseModel):
    """The trials of a search, in the order of their numbers."""

    trials: list[Trial] = []


@dataclass(frozen=True)
class Running:
    """One folder of `running/`; ages in seconds, None where nothing tells."""

    folder: Path
    stage: str
    key: str
    host: str
    pid: int | None
    held: bool
    age_s: float | None
    heartbeat_age_s: float | None
    done: int
    total: int
    eta_s: float | None
    resumed: bool
    failure: str

    @property
    def resumable(self) -> bool:
        """Whether a mid-stage checkpoint is there to go on from."""
        return any((self.folder / name).is_file() for name in (LAST, PREVIOUS))


def parse(model: type[Model], content: object, place: str) -> Model:
    """Return a record from what its JSON holds; raises InputError naming the place and the field."""
    if not isinstance(content, dict):
        raise InputError(f"{place}: not a JSON object")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{place}: {first_problem(model, error, content)}") from None
