"""Text from files and other machines, before it reaches a person's terminal."""

from __future__ import annotations

import re

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Unicode's control characters but line ends and tabs: a terminal does something instead of showing them."""


def harmless(text: str) -> str:
    """Return a text with � for every character that would steer a terminal."""
    return STEERING.sub("�", text)
