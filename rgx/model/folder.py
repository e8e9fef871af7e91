"""What a model folder says of itself, and the proof that it is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, StringConstraints

from rgx.errors import InputError
from rgx.store.artifacts import PIECE, checksum, read_object
from rgx.store.keys import key_fault
from rgx.store.records import ForeignFile, ForeignManifest, Manifest, parse

FORMAT = 1
"""Raised by hand when a folder is written that earlier versions cannot read."""
ABOUT, CARD, CONFIG = "model.json", "README.md", "config.gin"
GOES_ALONG = ("stage", "key", "record", "version", "parents", "fingerprint", "seed", "code")
"""What a model folder keeps of each manifest, with the identity where it is not the record."""
FileName = Annotated[str, StringConstraints(pattern=rf"^{PIECE}$")]


class ModelStage(ForeignManifest):
    """One stage of a model: what of its manifest its identity is made of, and the code behind it."""

    files: dict[str, ForeignFile] = {}
    outputs: dict[str, object] = {}
    code: dict[str, Any] = {}

    @property
    def manifest(self) -> Manifest:
        """What of its artifact's manifest goes along."""
        own = {name: getattr(self, name) for name in GOES_ALONG}
        return cast(Manifest, own if self.identity is None else own | {"identity": self.identity})


class ModelFacts(BaseModel):
    """What `model.json` says: which cell it is of, by which method, its stages and the files beside it.

    scores: stage → what it says of its metrics and their values.
    """

    format: int
    method: str
    rgx: str
    sweep: str
    panel: str
    row: str
    seed: int
    stages: dict[str, ModelStage]
    scores: dict[str, dict[str, Any]] = {}
    files: dict[FileName, ForeignFile] = {}

    @property
    def name(self) -> str:
        """The cell's address."""
        return f"{self.sweep}:{self.panel}/{self.row}, seed {self.seed}"


def read_folder(folder: Path) -> ModelFacts:
    """Return what a model folder says of itself, all of it checked.

    Raises InputError for what is no such folder, one of a newer format, a file that is not there or not what
    its checksum says, and a stage whose configuration is not the one that was trained.
    """
    path = folder / ABOUT
    content = read_object(path)
    if content is None:
        there = "no such folder" if not folder.is_dir() else f"no {ABOUT} in it that can be read"
        raise InputError(f"{folder}: {there}; expected a folder that `rgx bundle` wrote")
    if isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise InputError(
            f"{path}: a model of format {content['format']}, this rgx reads {FORMAT} and below: install the "
            f"rgx that wrote it ({content.get('rgx', 'a newer one')}) or a newer one"
        )
    facts = parse(ModelFacts, content, str(path))
    for name, about in sorted(facts.files.items()):
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: not there, and {ABOUT} names it: copy the whole folder")
        if file.stat().st_size != about.bytes or checksum(file) != about.sha256:
            raise InputError(f"{file}: its checksum is not that in {ABOUT}: the file was changed or damaged")
    for name, stage in facts.stages.items():
        if fault := key_fault(stage.manifest):
            raise InputError(f"{path}: stage {name}: {fault}")
    return facts
