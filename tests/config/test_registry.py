from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gin
import pytest
from roster import load_roster

from rgx import registry
from rgx.errors import InputError, nearest
from rgx.registry import Place, Recipe, find, record_of, register, variants

AXIS = "registry_test_axis"


@pytest.fixture(scope="module", autouse=True)
def trial_axis() -> Iterator[None]:
    load_roster()
    before = dict(registry._roster)

    @register(AXIS, "whole", label="Whole", source="here")
    class Whole:
        """First line.

        Second line.
        """

        def __init__(
            self,
            rate: float = 0.5,
            count: int = 2,
            on: bool = False,
            pair: tuple[float, float] = (0.1, 0.2),
            some: tuple[int, ...] = (),
            maybe: int | None = None,
            folder: Place = "here",
        ) -> None:
            self.rate, self.folder = rate, folder

    @register(AXIS, "shaped")
    class Shaped:
        bonus = 7

        def __init__(self, width: int, rate: float = 0.5) -> None:
            self.width, self.rate = width, rate

    yield
    registry._roster.clear()
    registry._roster.update(before)


def make(name: str, **given: Any) -> Any:
    return gin.get_configurable(f"{AXIS}.{name}")(**given)


def test_a_variant_tells_its_label_summary_parameters_and_shapes() -> None:
    whole, shaped = find(AXIS, "whole"), find(AXIS, "shaped")
    assert (whole.key, whole.label, whole.source, whole.summary) == (
        f"{AXIS}/whole", "Whole", "here", "First line.",
    )  # fmt: skip
    assert whole.parameters["rate"] == 0.5 and whole.shapes == []
    assert shaped.shapes == ["width"] and shaped.parameters == {"rate": 0.5}


def test_a_variant_with_shapes_is_a_recipe_until_called() -> None:
    recipe = make("shaped", rate=0.25)
    assert isinstance(recipe, Recipe) and recipe.bonus == 7
    made = recipe(3)
    assert (made.width, made.rate) == (3, 0.25)
    assert made.record == recipe.record == {"variant": f"{AXIS}/shaped", "rate": 0.25}


def test_the_record_has_defaults_and_no_place() -> None:
    made = make("whole", folder="there", count=5)
    assert made.folder == "there"
    assert made.record == {
        "variant": f"{AXIS}/whole", "rate": 0.5, "count": 5, "on": False, "pair": [0.1, 0.2], "some": [],
        "maybe": None,
    }  # fmt: skip
    assert made.record == make("whole", count=5).record


def test_an_int_serves_as_float_and_gives_the_same_record() -> None:
    made = make("whole", rate=1)
    assert isinstance(made.rate, float)
    assert repr(made.record["rate"]) == "1.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "fast"), ("rate", True), ("rate", None), ("count", 1.5), ("count", True), ("count", "3"),
        ("on", 1), ("pair", (1.0,)), ("pair", 1.0), ("some", (1, "a")), ("maybe", "x"), ("folder", 3),
    ],
)  # fmt: skip
def test_wrong_types_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{AXIS}\.whole\.{name} = .*expected .*found"):
        make("whole", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("pair", [1, 2]), ("some", [1, 2, 3]), ("maybe", 4), ("maybe", None), ("on", True)]
)
def test_right_types_are_taken(name: str, value: Any) -> None:
    expected = list(value) if isinstance(value, list) else value
    assert make("whole", **{name: value}).record[name] == expected


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(InputError, match=f"{AXIS}/whole is registered twice"):

        @register(AXIS, "whole")
        class Other:
            def __init__(self) -> None: ...


def test_unknown_names_offer_the_nearest_spelling() -> None:
    with pytest.raises(InputError, match="unknown variant 'wohle'.*did you mean 'whole'"):
        find(AXIS, "wohle")
    with pytest.raises(InputError, match="unknown axis 'quantiser'.*did you mean 'quantizer'"):
        variants("quantiser")
    assert nearest("zzz", ["b", "a"]) == "choose one of: a, b"


def test_only_plain_values_and_variants_have_an_identity() -> None:
    assert record_of({"a": (1, None)}) == {"a": [1, None]}
    assert record_of(SimpleNamespace(record={"variant": "x/y"})) == {"variant": "x/y"}
    with pytest.raises(InputError, match="cannot be part of an identity"):
        record_of(object())


def test_every_shipped_variant_has_a_summary() -> None:
    assert [v.key for v in variants() if v.axis != AXIS and not v.summary] == []
