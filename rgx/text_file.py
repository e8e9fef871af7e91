"""Text files that people wrote, on whatever machine they did."""

from __future__ import annotations

import codecs
from pathlib import Path

from rgx.errors import InputError
from rgx.terminal import STEERING

WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, its lines ended by a newline each, without a byte-order mark.

    Raises InputError for a file that cannot be read, and with the line for what is not text in UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from None
    if data.startswith(WIDE) or b"\0" in data:
        raise InputError(f"{path}:1: found UTF-16 or no text at all, expected UTF-8: save it as UTF-8")
    try:
        text = data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"0x{data[error.start]:02X}"
        raise InputError(f"{path}:{line}: found the byte {byte}, expected UTF-8: save it as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if steering := STEERING.search(text):
        line = text.count("\n", 0, steering.start()) + 1
        raise InputError(
            f"{path}:{line}: found the control character U+{ord(steering[0]):04X}, expected text"
        )
    return text
