"""Gin text bound: what of it cannot be, and variants made of it outside any sweep."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import gin

from rgx.bindings import Binding, Text, hidden, unread
from rgx.errors import InputError, nearest
from rgx.lines import CHOSEN, Lines
from rgx.registry import Calls, Variant, calls_noted, find
from rgx.statements import selectors, statements


@contextlib.contextmanager
def holding(texts: Sequence[Text]) -> Iterator[Lines]:
    """Give the lines of some texts while gin holds what they bind, and nothing else; it holds nothing after.

    Raises InputError naming file and line.
    """
    gin.clear_config()
    try:
        lines = Lines(list(statements(texts)))
        for binding in lines.bindings:
            _check(binding)
            scope = f"{binding.scope}/" if binding.scope else ""
            if binding.argument:
                key: Any = (binding.scope, binding.selector, binding.argument)
                lines.where[binding.selector, binding.argument] = binding.place
            else:
                key = (f"{scope}{binding.selector}", "gin.macro", "value")
            gin.bind_parameter(key, binding.value)
            for selector in re.findall(r"@(?:[\w/]+/)?([\w.]+)\(\)", binding.source):
                lines.where[selector, CHOSEN] = binding.place
        yield lines
    finally:
        gin.clear_config()


def _check(binding: Binding) -> None:
    if not binding.argument:
        return
    axis, _, name = binding.selector.rpartition(".")
    try:
        variant = find(axis, name)
    except InputError:
        raise InputError(
            f"{binding.head or binding.place}: unknown binding '{binding.selector}.{binding.argument}': "
            f"no variant '{binding.selector}': {nearest(binding.selector, selectors())}"
        ) from None
    if binding.argument not in variant.bindable:
        raise InputError(f"{binding.place}: {binding.selector} {refused(variant, binding.argument)}")


def refused(variant: Variant, argument: str) -> str:
    """Return why a variant's argument cannot be bound."""
    if argument in variant.shapes:
        return f"is given '{argument}' by the program: what a binding supplies is annotated Part or Recipe"
    return f"has no parameter '{argument}': {nearest(argument, variant.bindable)}"


def configured(name: str, lines: Lines, calls: Calls) -> Any:
    """Return what gin makes of `axis.variant`; raises InputError with the line that it is about."""
    try:
        return gin.get_configurable(name)()
    except Exception as error:
        # What was configured last is what could not be made: its parts were before it.
        raise lines.refusal(error, calls[-1][1] if calls else name) from error


def configure_variants(texts: Sequence[Text], names: Sequence[str]) -> list[Any]:
    """Return variants, each called `axis.variant`, as some texts configure them, for what is no stage.

    Raises InputError naming file and line, also for what a person wrote that none of them reads.
    """
    with holding(texts) as lines, calls_noted() as calls:
        variants = [configured(name, lines, calls) for name in names]
    for _, message in hidden(lines.bindings, calls):
        raise InputError(message)
    for binding, _ in unread(lines.bindings, {selector.replace(".", "/") for _, selector in calls}):
        readers = ", ".join(dict.fromkeys(selector for _, selector in calls))
        raise InputError(f"{binding.place}: nothing reads '{binding.name}' here; what is made: {readers}")
    return variants
