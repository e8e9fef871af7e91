"""LaTeX source to PDF through pdflatex, with an error that says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rgx.errors import InputError

TIMEOUT_S = 120
RUNS = 2
"""The second run knows the references of the first."""
INSTALL = (
    "on Debian: apt install texlive-latex-recommended texlive-fonts-recommended latexmk; "
    "elsewhere, TeX Live's collections latexrecommended and fontsrecommended"
)


def typeset(source: str, pictures: Sequence[Path] = ()) -> bytes:
    """Return the PDF of LaTeX source.

    pictures: files the source names without their folder. Raises InputError where pdflatex or a package
    is missing, where the source does not compile, or after two minutes.
    """
    program = shutil.which("pdflatex")
    if program is None:
        raise InputError(f"a PDF needs pdflatex, and there is none; {INSTALL}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.tex").write_text(source, encoding="utf-8")
        for picture in pictures:
            shutil.copy(picture, folder)
        for _ in range(RUNS):
            _run(program, folder)
        return (folder / "report.pdf").read_bytes()


def _run(program: str, folder: Path) -> None:
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    # Fixed dates make the same tables the same bytes; the line length keeps a log's messages whole.
    settings = {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | settings, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError(f"pdflatex did not finish the report in {TIMEOUT_S} s") from None
    except OSError as error:
        raise InputError(f"{program} cannot be run: {error.strerror}; {INSTALL}") from None
    if done.returncode:
        raise InputError(_reason(done.stdout.decode("utf-8", "replace")))


def _reason(log: str) -> str:
    """Return what stopped pdflatex."""
    if missing := re.search(r"File `([^']+)' not found", log):
        return f"pdflatex found no {missing[1]}; {INSTALL}"
    if font := re.search(r"^! .*[Ff]ont (\S+).*not.*(?:loadable|found).*", log, re.MULTILINE):
        return f"pdflatex found no font {font[1]}; {INSTALL}"
    first = re.search(r"^!.*(?:\n.*?)*?^l\.\d+.*|^!.*", log, re.MULTILINE)
    return f"pdflatex stopped: {' '.join(first[0].split()) if first else log[-300:]}"
