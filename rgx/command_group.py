"""The commands of a method stand beside the framework's, and are imported only when they are asked for."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from rgx.errors import InputError, close, nearest
from rgx.methods import command_apps, methods_at_hand
from rgx.terminal import complain

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What a command raises for arguments it does not take; typer has no public name for it."""

HelpAsked: type[Exception] | tuple[()] = getattr(sys.modules[UsageError.__module__], "NoArgsIsHelpError", ())
"""What a group raises that was asked for nothing, with its help as the message."""
QUOTED = re.compile(r"'([^']*)'")

SLIP = 0.8
"""How alike an option is to one that was meant: --stor to --store, and not --fusion to --json."""


class CommandGroup(TyperGroup):
    """The framework's commands, and those of the methods at hand, which only help and their users import."""

    def get_command(self, context: Any, name: str) -> Any:
        """Return a command; raises InputError for an unknown one where a method cannot be imported."""
        own = super().get_command(context, name)
        if own is not None:
            return own
        more, problems = self._of_methods()
        if name not in more and problems:
            raise problems[0]
        return more.get(name)

    def invoke(self, context: Any) -> Any:
        """Run a command; raises InputError for `axis=variant` without its option, as Hydra users write."""
        try:
            return super().invoke(context)
        except UsageError as error:
            extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", str(error))
            command = getattr(getattr(error, "ctx", None), "command", None)
            words = extra[1].split() if extra else []
            options = {name for option in getattr(command, "params", []) for name in option.opts}
            wrong = str(getattr(error, "option_name", "")).lstrip("-")
            if wrong and "--set" in options and not close(f"--{wrong}", options, SLIP):
                raise InputError(
                    f"--{wrong}: no such option; what stands on an axis is --set {wrong}=VARIANT, "
                    "a parameter --bind 'axis.variant.parameter = value'"
                ) from None
            if meant := [_meant(word, options) for word in words if "=" in word and "--set" in options]:
                raise InputError(f"{' '.join(words)}: did you mean {' '.join(meant)}?") from None
            raise _in_one_line(error) from None

    def parse_args(self, context: Any, args: list[str]) -> list[str]:
        """Return the words behind the options; raises InputError for an option that is not known."""
        try:
            return super().parse_args(context, args)
        except UsageError as error:
            raise _in_one_line(error) from None

    def list_commands(self, context: Any) -> list[str]:
        """Return all names; says of a method that cannot be imported what is wrong, and goes on."""
        more, problems = self._of_methods()
        for problem in problems:
            complain(problem)
        return list(dict.fromkeys([*super().list_commands(context), *more]))

    @staticmethod
    def _of_methods() -> tuple[dict[str, Any], list[InputError]]:
        commands: dict[str, Any] = {}
        problems: list[InputError] = []
        try:
            packages = methods_at_hand(Path.cwd())
        except InputError as error:
            return commands, [error]
        for package in packages:
            try:
                for method_app in command_apps(package):
                    commands = {**typer.main.get_group(method_app).commands, **commands}
            except InputError as error:
                problems.append(error)
        return commands, problems


def _in_one_line(error: Any) -> Exception:
    """Return what a person is told of words that a command does not take, in one line; help stays help."""
    if isinstance(error, HelpAsked):
        return error
    place = error.ctx.command_path if error.ctx else "rgx"
    text = error.format_message().replace("Value error, ", "").strip().rstrip(".")
    choice = re.search(r"'([^']*)' is not one of (.*)", text)
    near = f": {nearest(choice[1], QUOTED.findall(choice[2]))}" if choice else ""
    return InputError(f"{place}: {text[:1].lower()}{text[1:]}{near} (see {place} --help)")


def _meant(word: str, options: set[str]) -> str:
    """Return name=value as one of a command's options: its own, a choice on an axis or a binding."""
    name, _, value = word.lstrip("+").partition("=")
    if f"--{name}" in options:
        return f"--{name} {value}"
    return f"--bind '{name} = {value}'" if "." in name else f"--set {name}={value}"
