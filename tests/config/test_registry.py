from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gin
import pytest
from little import ROOT, command
from roster import load_roster

from rgx import registry
from rgx.errors import InputError, nearest
from rgx.registry import Place, Recipe, find, record_of, register, replacements, variants

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


def test_one_of_two_may_stand_in_the_others_place_and_takes_its_own_arguments() -> None:
    class First:
        def __init__(self, rate: float = 0.5) -> None: ...

    class Second:
        def __init__(self, share: int = 2) -> None: ...

    class Third:
        def __init__(self) -> None: ...

    for name, order in {"later": (First, Second), "sooner": (Second, First)}.items():
        for cls in order:
            register(AXIS, name, replace=cls is Second)(cls)
        assert find(AXIS, name).cls is Second
        assert make(name, share=3).record == {"variant": f"{AXIS}/{name}", "share": 3}
        register(AXIS, name)(First)  # imported again, it stays replaced
        for replace in (False, True):
            with pytest.raises(InputError, match=f"{name} is registered twice: by .*Second and by .*Third"):
                register(AXIS, name, replace=replace)(Third)
        assert find(AXIS, name).cls is Second
        assert any(
            line.startswith(f"{AXIS}/{name} is ") and "Second in place of" in line for line in replacements()
        )


def test_a_copy_of_a_shipped_file_replaces_it_only_when_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = ROOT / "rgx/gesture/tokens/fsq.py"
    words = ["plan", str(ROOT / "sweeps/ablation_table3.yaml"), "--store", str(tmp_path / "store")]
    copy = tmp_path / "fsq_copied_for_a_test.py"
    copy.write_text(shipped.read_text())
    assert command(*words, "--import", str(copy)) == 2
    said = capsys.readouterr().err
    assert "quantizer/fsq is registered twice" in said and f"({shipped} and {copy})" in said
    other = tmp_path / "elsewhere" / copy.name
    other.parent.mkdir()
    other.write_text("")
    assert command(*words, "--import", str(copy), "--import", str(other)) == 2
    assert f"two imports are named {copy.stem}: {copy} and {other}" in capsys.readouterr().err


def test_a_version_is_in_the_record_from_the_second_on() -> None:
    class Improved:
        def __init__(self, rate: float = 0.5) -> None: ...

    for version, more in {1: {}, 2: {"variant_version": 2}}.items():
        register(AXIS, "improved", version=version)(Improved)
        assert make("improved").record == {"variant": f"{AXIS}/improved", **more, "rate": 0.5}
    for version in (0, True, "2"):
        with pytest.raises(InputError, match="expected a whole number from 1"):
            register(AXIS, "improved", version=version)  # type: ignore[arg-type]


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
