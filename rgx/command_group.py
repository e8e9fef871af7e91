"""The commands of a method stand beside the framework's, and are imported only when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from rgx.errors import InputError
from rgx.methods import command_apps, methods_at_hand
from rgx.terminal import complain


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
