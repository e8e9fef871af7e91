"""What a schema says of a file's content, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import isclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rgx.errors import nearest
from rgx.translator import plain, translate

Location = tuple[Any, ...]

NAME_OF_FILE = "letters, digits, '.', '_' and '-', one of the first two at first"
EXPECTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_type": lambda given: "text",
    "list_type": lambda given: "a list",
    "tuple_type": lambda given: "a list",
    "set_type": lambda given: "a list",
    "dict_type": lambda given: "a mapping (name: value)",
    "model_type": lambda given: "a mapping (name: value)",
    "int_type": lambda given: "a whole number",
    "int_parsing": lambda given: "a whole number",
    "int_from_float": lambda given: "a whole number",
    "float_type": lambda given: "a number",
    "float_parsing": lambda given: "a number",
    "finite_number": lambda given: "a finite number",
    "bool_type": lambda given: "true or false",
    "bool_parsing": lambda given: "true or false",
    "too_short": lambda given: f"at least {given['min_length']}",
    "too_long": lambda given: f"at most {given['max_length']}",
    "string_too_short": lambda given: f"text of at least {given['min_length']} letters",
    "string_too_long": lambda given: f"text of at most {given['max_length']} letters",
    "greater_than_equal": lambda given: f"{given['ge']:g} or more",
    "greater_than": lambda given: f"more than {given['gt']:g}",
    "less_than_equal": lambda given: f"{given['le']:g} or less",
    "less_than": lambda given: f"less than {given['lt']:g}",
    "literal_error": lambda given: str(given["expected"]),
    "enum": lambda given: str(given["expected"]),
    "string_pattern_mismatch": lambda given: (
        "64 digits of 0 to f" if "{64}" in given["pattern"] else NAME_OF_FILE
    ),
}
"""What was expected, by pydantic's name for an error and what it says of it."""


def first_problems(error: ValidationError, data: Any) -> Iterator[tuple[Location, list[ErrorDetails]]]:
    """Yield each place where something is wrong, and what.

    Left out is what follows from another problem: a key that is missing where one is misspelt, and that
    a whole is not one thing where a part of it is wrong as another.
    """
    problems: dict[Location, list[ErrorDetails]] = {}
    for item in error.errors():
        problems.setdefault(named(item["loc"], data, item["type"] == "missing"), []).append(item)
    misspelt = {place[:-1] for place, items in problems.items() if items[0]["type"] == "extra_forbidden"}
    for place, items in problems.items():
        deeper = any(len(other) > len(place) and other[: len(place)] == place for other in problems)
        if not (items[0]["type"] == "missing" and place[:-1] in misspelt) and not (
            deeper and len(items[0]["loc"]) > len(place)
        ):
            yield place, items


def named(location: Sequence[Any], data: Any, missing: bool = False) -> Location:
    """Return the steps of an error's location that are the data's, without the schema's own between them."""
    steps: list[Any] = []
    for number, step in enumerate(location):
        if (isinstance(data, Mapping) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            data = data[step]
            steps.append(step)
        elif missing and number == len(location) - 1:
            steps.append(step)
    return tuple(steps)


def explain(
    model: type[BaseModel], location: Location, items: Sequence[ErrorDetails], under: Sequence[str] = ()
) -> str:
    """Say in one line what is wrong at a location: found, expected, or the nearest spelling."""
    name, item = "/".join(map(str, (*under, *location))), items[0]
    if item["type"] == "extra_forbidden":
        return f"unknown key '{name}'; {nearest(str(location[-1]), _fields(model, location[:-1]))}"
    if item["type"] == "missing":
        return f"'{name}' is missing"
    own = [plain(str(detail["ctx"]["error"])) for detail in items if detail["type"] == "value_error"]
    known = [detail for detail in items if detail["type"] in EXPECTED]
    wants = [EXPECTED[detail["type"]](detail.get("ctx", {})) for detail in known]
    wanted = " or ".join(dict.fromkeys(wants)) or translate(item["msg"]).removeprefix("Input should be ")
    said = own[0] if own else f"expected {wanted}"
    if own and isinstance(item["input"], (Mapping, list)):
        return f"'{name}': {said}" if name else said
    value = "" if item["loc"][-1:] == ("[key]",) else f" is {shown(item['input'])}"
    return f"'{name}'{value}: {said}"


def first_problem(model: type[BaseModel], error: ValidationError, data: Any) -> str:
    """Say in one line what is wrong first."""
    for location, items in first_problems(error, data):
        return explain(model, location, items)
    return translate(error.errors()[0]["msg"])


def shown(value: Any) -> str:
    """Return what a value is, in the words of the file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list)):
        return f"{'a list' if isinstance(value, list) else 'a mapping'} of {len(value)}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _fields(model: Any, location: Location) -> list[str]:
    """Return the keys that a model allows at a location."""
    kinds = [model]
    for step in location:
        kinds = [part for kind in kinds for part in _inside(kind, step)]
    return [
        name for kind in kinds if isclass(kind) and issubclass(kind, BaseModel) for name in kind.model_fields
    ]


def _inside(kind: Any, step: Any) -> Iterator[Any]:
    """Yield what a kind of value may hold at a step."""
    if isclass(kind) and issubclass(kind, BaseModel) and step in kind.model_fields:
        yield from _kinds(kind.model_fields[step].annotation)
    elif get_origin(kind) in (dict, list):
        yield from _kinds(get_args(kind)[-1])


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the kinds that an annotation allows."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in (dict, list) or not get_args(annotation):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _kinds(part)
