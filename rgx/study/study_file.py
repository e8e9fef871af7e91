"""STUDY.yaml: which conditions are shown and asked what, how sessions are checked, who is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, field_validator

from rgx.errors import InputError, nearest
from rgx.report.panel import PanelName
from rgx.study.exclusions import Rules
from rgx.yaml_source import Source

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Texts = dict[Language, str]
LEAST, MOST = 1, 5
"""The ends of the scale of a rating."""
KINDS = ("row", "folder", "reference_of", "frozen", "shuffled")


class Stated(BaseModel):
    """A mapping in the file, in which an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Stated):
    """One system, or an anchor: where its videos are from, exactly one of the first five.

    row: SWEEP:panel/row of the store; folder: videos by scene; reference_of: what a row's videos are measured
    against; frozen, shuffled: another condition whose first picture stands, or whose pictures are mixed.
    """

    row: str | None = None
    folder: str | None = None
    reference_of: str | None = None
    frozen: str | None = None
    shuffled: str | None = None
    seed: int | None = None
    stage: str = "video"
    label: str = ""
    reference: bool = False
    """Whether a folder is of recordings, so that no system has to be better."""

    @property
    def is_system(self) -> bool:
        """Return whether it is compared with others: no reference and no anchor."""
        return not self.reference and (self.row is not None or self.folder is not None)

    @property
    def kinds(self) -> list[str]:
        """Return which of the sources are given."""
        return [name for name in KINDS if getattr(self, name) is not None]

    @property
    def base(self) -> str | None:
        """Return the condition that an anchor is made of, or None."""
        return self.frozen or self.shuffled


class Question(Stated):
    """What is asked: a rating of one video, the better of two conditions, or the sound that belongs to it.

    asks `matched`: one condition's video twice, with its own sound and with that of another scene.
    """

    asks: Literal["rating", "pair", "matched"] = "rating"
    text: Texts
    sound: Literal["own", "muted"] = "own"
    labels: dict[Language, list[str]] = {}
    items: int = Field(default=0, ge=0)
    conditions: list[str] = []
    head: str = ""
    published: str = ""

    @field_validator("labels")
    @classmethod
    def _five(cls, labels: dict[str, list[str]]) -> dict[str, list[str]]:
        for language, words in labels.items():
            if len(words) != MOST:
                raise ValueError(f"{language} has {len(words)} labels, expected {MOST}, from worst to best")
        return labels


class Scenes(Stated):
    """The same scenes are shown of every condition: all files that fit, or as many of them.

    names: a pattern of file names without their ending; alike: groups among which sounds are exchanged.
    """

    names: str = "*"
    count: int | None = Field(default=None, ge=2)
    alike: dict[str, list[str]] = {}


class Checks(Stated):
    """What is in a session besides what is asked: training, traps, gold items and repeated ones.

    gold: the condition, and the least and highest answer that is taken.
    """

    training: int = Field(default=3, ge=0, le=10)
    traps: int = Field(default=2, ge=0, le=10)
    repeats: int = Field(default=1, ge=0, le=10)
    gold: dict[str, tuple[int, int]] = {}


class Reported(Stated):
    """Published numbers beside the study's: a file, its panel, and its rows by condition."""

    file: str
    panel: str
    rows: dict[str, str] = {}


class StudyFile(Stated):
    """One study, as its file says it."""

    name: PanelName
    title: Texts
    consent: Texts
    raters: int = Field(ge=2, le=10_000)
    conditions: dict[str, Condition] = Field(min_length=2)
    questions: dict[PanelName, Question] = Field(min_length=1)
    scenes: Scenes = Scenes()
    checks: Checks = Checks()
    exclude: Rules = Rules()
    seed: int = Field(default=0, ge=0)
    ours: str | None = None
    seconds: FiniteFloat | None = Field(default=None, gt=0, le=120)
    size_px: int = Field(default=512, ge=32, le=2160, multiple_of=2)
    frames_per_second: int = Field(default=25, ge=1, le=120)
    loudness_lufs: FiniteFloat = Field(default=-23.0, ge=-60, le=-10)
    published: Reported | None = None

    @property
    def languages(self) -> list[str]:
        """Return the languages that its title is in: the page's."""
        return list(self.title)

    def asked(self, question: str) -> list[str]:
        """Return the conditions that a question is asked of."""
        return self.questions[question].conditions or list(self.conditions)

    def label(self, condition: str) -> str:
        """Return what a condition is called in print."""
        return self.conditions[condition].label or condition


def read_study(path: Path) -> tuple[StudyFile, Source]:
    """Read a study's file; raises InputError with file:line for each thing that does not fit."""
    source = Source(path, StudyFile.model_fields)
    study = source.parse(StudyFile)
    problems = [
        f"{source.where(place)}: '{'/'.join(map(str, place))}' {wrong}" for place, wrong in faults(study)
    ]
    if problems:
        raise InputError("\n".join(problems))
    return study, source


def faults(study: StudyFile) -> list[tuple[list[Any], str]]:
    """Return each place of a study's file that does not fit the rest, and what is wrong with it."""
    wrong: list[tuple[list[Any], str]] = []
    for name, condition in study.conditions.items():
        wrong += [(["conditions", name, *place], said) for place, said in _of_condition(study, condition)]
    for name, question in study.questions.items():
        wrong += [(["questions", name, *place], said) for place, said in _of_question(study, name, question)]
    for name, (low, high) in study.checks.gold.items():
        if name not in study.conditions:
            wrong.append((["checks", "gold", name], _unknown(name, study)))
        elif not LEAST <= low <= high <= MOST:
            wrong.append(
                (["checks", "gold", name], f"is {low} to {high}, expected {LEAST} ≤ low ≤ high ≤ {MOST}")
            )
    if study.ours is not None and study.ours not in study.conditions:
        wrong.append((["ours"], _unknown(study.ours, study)))
    wrong += [
        (["consent"], f"lacks the language '{language}' that 'title' has")
        for language in study.languages
        if language not in study.consent
    ]
    for name in study.published.rows if study.published else ():
        if name not in study.conditions:
            wrong.append((["published", "rows", name], _unknown(name, study)))
    return wrong


def _unknown(name: str, study: StudyFile) -> str:
    return f"names no condition '{name}': {nearest(name, study.conditions)}"


def _of_condition(study: StudyFile, condition: Condition) -> list[tuple[list[str], str]]:
    if len(condition.kinds) != 1:
        given = " and ".join(condition.kinds) or "none"
        return [([], f"has {given}, expected exactly one of {', '.join(KINDS)}")]
    (kind,), base = condition.kinds, condition.base
    if base is None:
        return []
    if base not in study.conditions:
        return [([kind], _unknown(base, study))]
    return [([kind], f"names '{base}', itself an anchor")] if study.conditions[base].base is not None else []


def _of_question(study: StudyFile, name: str, question: Question) -> list[tuple[list[Any], str]]:
    wrong: list[tuple[list[Any], str]] = []
    for number, condition in enumerate(question.conditions):
        if condition not in study.conditions:
            wrong.append((["conditions", number], _unknown(condition, study)))
    for part in ("text", *(("labels",) if question.labels else ())):
        absent = [language for language in study.languages if language not in getattr(question, part)]
        wrong += [([part], f"lacks the language '{language}' that 'title' has") for language in absent]
    if question.asks == "matched" and question.sound == "muted":
        wrong.append((["sound"], "is muted, but the question compares sounds"))
    asked = len(study.asked(name))
    if question.asks == "pair" and asked < 2:
        wrong.append((["conditions"], "has one condition, expected two or more to compare"))
    units = asked * (asked - 1) // 2 if question.asks == "pair" else asked
    if question.asks != "pair" and question.items % units:
        wrong.append(
            (["items"], f"is {question.items}, expected a multiple of its {units} conditions, so that each "
             "is seen equally often")
        )  # fmt: skip
    return wrong
