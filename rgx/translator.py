"""The one translator of what gin, pydantic, Ray, YAML and Python say of a mistake, into plain words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from rgx.errors import nearest

Table = tuple[tuple[str, str], ...]
"""What a library says, as a pattern, and what it means; {0} is its first group, {near} the nearest name."""

GIN_VALUES = "found no value, expected a number, True, None, 'text', [a, b], @axis.variant() or %NAME"
UNFINISHED = "a bracket or a quotation mark is opened and not closed"
GIN: Table = (
    (r"No configurable matching reference '@([\w./]+?)(?:\(\))?'", "unknown variant '{0}': {near}"),
    (r"Ambiguous selector '([^']*)', matches \[(.*)\]", "'{0}' is not a whole name: choose one of {1}"),
    (r"Failed to parse token '(.*)'", "found {0}, expected a number, True, False, None or 'text'"),
    (r"unhashable type", "found a list or a mapping as a key, expected a name or a number"),
    (r"recursion depth", "lists or mappings lie too deep inside each other"),
    (r"EOF in multi-line|EOL while|unterminated", UNFINISHED),
    (r"Unable to parse value", GIN_VALUES),
    (r"Couldn't parse statement", "expected axis.variant.parameter = value, or NAME = value"),
    (r"Unexpected token", "expected axis.variant.parameter = value, or NAME = value"),
    (r"Malformatted scope", "found a name with a blank, or with a dot or slash too many"),
    (r"Expected newline", "found more after the value, expected the end of the line"),
    (r"Expected indentation", "expected indented lines `parameter = value` after the colon"),
)
YAML: Table = (
    (
        r"character '?.*?'?\s*that cannot start any token",
        "found a value that begins with a letter which YAML keeps for itself, expected it in quotes",
    ),
    (r"mapping values are not allowed", "found a second ': ', expected it in quotes or on a line of its own"),
    (r"could not find expected ':'", "found a line without ':', expected name: value"),
    (r"expected ',' or '\]'", "a list is opened with [ and goes on otherwise than with , or ]"),
    (r"expected ',' or '\}'", "a mapping is opened with { and goes on otherwise than with , or }"),
    (
        r"expected <block end>|expected key|expected '-' indicator|indentation",
        "found a line that is indented otherwise than those before it",
    ),
    (r"undefined alias '?(\w*)", "found *{0}, and no &{0} stands before it"),
    (r"unexpected end of stream|end of stream", UNFINISHED),
    (
        r"unknown escape character",
        "found a \\ that YAML does not know, expected single quotes around the text",
    ),
    (
        r"<document start>|another document|document indicator|single document",
        "found a second document, expected one mapping",
    ),
    (r"sequence entries are not allowed", "found '- ', expected it on a line of its own"),
    (r"duplicate anchor", "found an &name that stands before already"),
)
PYTHON: Table = (
    (r"(\w{1,99})\.__init__\(\) missing \d+ required [^:]*: (.+)", "{0} was built without {1}"),
    (r"(\w{1,99})\.__init__\(\) got an unexpected keyword argument (.+)", "{0} has no argument {1}"),
    (r"instantiate abstract class (\w+) .*abstract methods? (.+)", "{0} lacks {1}"),
    (r"'NoneType' object has no attribute '(\w+)'", "found None, expected something that has '{0}'"),
    (r"'NoneType' object is not (\w+)", "found None, which is not {0}"),
    (r"\[Errno \d+\] ([^:]+): '(.*)'", "{1}: {0}"),
    (r"maximum recursion depth", "something refers to itself without end"),
)
OBJECTS: Table = (
    (r"<(?:class|enum) '(?:[^'\n]{0,200}\.)?(\w{1,99})'>", "{0}"),
    (r"<module '([^'\n]{1,200})'[^>\n]{0,200}>", "{0}"),
    (
        r"<(?:function )?(?:(?:\w|<locals>|\.){0,200}\.)?(\w{1,99})(?: [^<>\n]{0,200})? at 0x[0-9a-fA-F]+>",
        "{0}",
    ),
    (r"<bound method ([\w.]{1,200}) of [^<>\n]{0,200}>?", "{0}"),
    (r"(?: object)? at 0x[0-9a-fA-F]+", ""),
    (r"\b(?:o?dict_(?:keys|values|items)|mappingproxy|frozenset|\w{0,20}Path)\(([^()]*)\)", "{0}"),
    (r"(?:typing\.)?Annotated\[([^\[\],]+(?:\[[^\[\]]*\])?),[^\]]*\]", "{0}"),
    (r"\bForwardRef\('([^']*)'[^)]*\)", "{0}"),
    (r"\btyping\.", ""),
    (r"\bNoneType\b", "None"),
)
"""What Python calls its own things, and what is left of it for a person."""
CREDENTIALS = re.compile(r"(?<=\w://)[^\s/?#'\"]+@")
INSTALLED = ("site-packages", "dist-packages")
NOBODYS = ("importlib", "/gin/", str(Path(os.__file__).parent))
GIN_CALLS = re.compile(r"\n\s*In call to configurable .*")
"""What gin adds to an error: through which calls it came."""


def translate(
    error: BaseException | str, table: Table = (), names: Callable[[], Iterable[str]] = list
) -> str:
    """Return in one line what an error says, in the words of a table where it has some.

    names: gives the right spellings, for what says {near}.
    """
    said = error if isinstance(error, str) else str(getattr(error, "msg", None) or error)
    said = GIN_CALLS.sub("", said).strip()
    for pattern, meaning in (*table, *PYTHON):
        if match := re.search(pattern, said):
            groups = [group.replace("'", "") if table is GIN else group for group in match.groups("")]
            for place, group in enumerate(groups):
                meaning = meaning.replace(f"{{{place}}}", group)
            return plain(meaning.replace("{near}", nearest(groups[0], names()) if groups else ""))
    if isinstance(error, KeyError):
        return plain(f"found no {said}")
    lines = plain(said).splitlines()
    return lines[0] if lines else type(error).__name__


def plain(text: str) -> str:
    """Return a text in which things of Python have only their names, and addresses no credentials."""
    for pattern, meaning in OBJECTS:
        text = re.sub(pattern, meaning.replace("{0}", r"\1"), text)
    return masked(text)


def masked(text: str) -> str:
    """Return a text with … in place of the user and password of each address: http://…@host."""
    return CREDENTIALS.sub("…@", text)


def raised_at(error: BaseException, *apart: str) -> str:
    """Return `file:line: ` of the innermost call in a person's own code, or nothing.

    Where there is none, of the innermost in what is installed. apart: files that count as nobody's.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    own, installed, trace = "", "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        place = f"{file}:{trace.tb_lineno}: "
        if any(part in file for part in INSTALLED) and "/gin/" not in file:
            installed = place
        elif not (file.startswith("<") or file in apart or any(part in file for part in NOBODYS)):
            own = place
        trace = trace.tb_next
    return own or installed
