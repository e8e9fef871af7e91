"""Gin text taken apart: every binding with its place, and what gin finds wrong in plain words."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gin import config as gin_config
from gin import config_parser

from rgx.bindings import Binding, Text
from rgx.errors import InputError
from rgx.kinds import infinities
from rgx.registry import variants
from rgx.translator import GIN, translate

GIN_OWN = {"gin.constant", "gin.singleton"}


class _Delegate(gin_config.ParserDelegate):
    """Gin's own references, with unknown variants told in our words."""

    def __init__(self) -> None:
        super().__init__(skip_unknown=False)


def statements(texts: Sequence[Text]) -> Iterator[Binding]:
    """Yield every binding of some gin texts; raises InputError for what is none, or is bound twice in one."""
    asked: dict[tuple[str, str, str], str] = {}
    for text in texts:
        content = text.text.split("\n")
        places: dict[tuple[str, str, str], str] = asked if text.asked and text.everywhere else {}
        head = ""
        for statement in _parsed(text):
            line = statement.location.line_num
            if isinstance(statement, config_parser.BlockDeclaration):
                head = text.place(line)
                continue
            if not isinstance(statement, config_parser.BindingStatement):
                raise InputError(
                    f"{text.place(line)}: imports and includes stand in the sweep file, not in gin"
                )
            for number in infinities(statement.value):
                raise InputError(f"{text.place(line)}: found {number}, expected a finite number")
            references = list(_references(statement.value))
            for reference in references:
                if reference.selector in GIN_OWN or _name(reference) == "%":
                    name = "/".join([*reference.scopes, *[reference.selector] * (not reference.scopes)])
                    raise InputError(f"{text.place(line)}: found gin's own {name}, expected a value")
                if not reference.evaluate:
                    raise InputError(
                        f"{text.place(line)}: {reference!r} only names a variant: write {reference!r}()"
                    )
            written = content[line - 1] if line <= len(content) else ""
            binding = Binding(
                statement.scope or "",
                statement.selector,
                statement.arg_name or "",
                statement.value,
                written,
                text.place(line),
                text.asked,
                text.everywhere,
                tuple(map(_name, references)),
                text.scale,
                head if written[:1].isspace() else "",
            )
            if binding.key in places:
                name = binding.name if binding.argument else binding.macro
                raise InputError(
                    f"{binding.place}: '{name}' is bound twice; the first stands at {places[binding.key]}"
                )
            places[binding.key] = binding.place
            yield binding


def asked_texts(bindings: Iterable[str]) -> list[Text]:
    """Return what the command line binds, each by itself; raises InputError for one that binds nothing."""
    texts = []
    for binding in bindings:
        place = f"--bind '{binding}'"
        text = Text(binding, place, asked=True, lines=(place,), everywhere=True)
        if not any(statements([text])):
            raise InputError(f"{place}: found nothing, expected axis.variant.parameter = value")
        texts.append(text)
    return texts


def _parsed(text: Text) -> Iterator[Any]:
    """Yield gin's statements; raises InputError, with the place, for what is none."""
    try:
        yield from config_parser.ConfigParser(text.text, _Delegate())
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, tokenize.TokenError) as error:
        raise InputError(f"{_syntax_place(text, error)}: {translate(error, GIN, selectors)}") from None


def _references(value: Any) -> Iterator[gin_config.ConfigurableReference]:
    """Yield what a value refers to."""
    if isinstance(value, gin_config.ConfigurableReference):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _references(inner)


def _name(reference: gin_config.ConfigurableReference) -> str:
    """Return a macro as %NAME, a variant as axis.variant."""
    macro = reference.selector == "gin.macro"
    return f"%{'/'.join(reference.scopes)}" if macro else reference.selector


def _syntax_place(text: Text, error: Exception) -> str:
    """Return where gin stopped: its errors say so in three ways."""
    line = getattr(error, "lineno", None)
    if isinstance(error, tokenize.TokenError):
        line = error.args[1][0]
    elif line is None:
        written = re.search(r"\bline (\d+)", str(error))
        line = int(written[1]) if written else 1
    return text.place(min(line, text.text.rstrip().count("\n") + 1))


def selectors() -> list[str]:
    """Return what every variant is called in gin."""
    return [f"{v.axis}.{v.name}" for v in variants()]
