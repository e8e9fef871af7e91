"""Text from files and other machines, before it reaches a person's terminal."""

from __future__ import annotations

import re
import sys

from rgx.translator import masked, plain

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Unicode's control characters but line ends and tabs: a terminal does something instead of showing them."""


def harmless(text: str) -> str:
    """Return a text with � for every character that would steer a terminal, and … for credentials."""
    return masked(STEERING.sub("�", text))


def complain(error: Exception) -> None:
    """Print an error for a person, a line for each of its lines."""
    for line in str(error).splitlines():
        print(f"error: {harmless(plain(line))}", file=sys.stderr)
