"""Text that LaTeX and Markdown print as it is written."""

from __future__ import annotations

import unicodedata

from rgx.report.phrase import Phrase

GREEK = "αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΦΨΩ"
GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma varsigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    '"': "''",
    "±": r"$\pm$",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "÷": r"$\div$",
    "−": "$-$",
    "°": r"$^{\circ}$",
    **{letter: f"$^{{{sign}}}$" for letter, sign in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True)},
    **{letter: f"$_{{{sign}}}$" for letter, sign in zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True)},
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≪": r"$\ll$",
    "≫": r"$\gg$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "µ": r"$\mu$",
    "✓": r"\checkmark{}",
    **{letter: rf"$\{name}$" for letter, name in zip(GREEK, GREEK_NAMES.split(), strict=True)},
}
MARKDOWN_SPECIAL = "\\`*_[]<>|~$&"
LONG_WORD, BREAK_EVERY = 24, 8


def escape_tex(text: str) -> str:
    """Return text that pdfLaTeX prints as it is written, on one line of source.

    A phrase is the LaTeX that was given for it. A word of more than 24 letters may break anywhere; a letter
    that pdfLaTeX's fonts lack is printed as its code point, such as U+4E2D.
    """
    if isinstance(text, Phrase):
        return text.tex
    return " ".join(_word(word) for word in text.split())


def joined(*parts: str, between: str = "") -> str:
    """Return parts as one text, which is a phrase where one of them is."""
    text = between.join(parts)
    if not any(isinstance(part, Phrase) for part in parts):
        return text
    tex = []
    for part in parts:
        # Words are escaped without the spaces around them, which are kept.
        words = part if isinstance(part, Phrase) else part.strip()
        before, _, after = part.partition(words) if words else (part, "", "")
        tex.append(f"{before}{escape_tex(words)}{after}")
    return Phrase(text, between.join(tex))


def escape_markdown(text: str) -> str:
    """Return text that Markdown prints as it is written, safe inside a table."""
    words = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in MARKDOWN_SPECIAL else letter for letter in words)


def _word(word: str) -> str:
    letters = [_letter(letter) for letter in unicodedata.normalize("NFC", word)]
    if len(letters) <= LONG_WORD:
        return "".join(letters)
    parts = ["".join(letters[start : start + BREAK_EVERY]) for start in range(0, len(letters), BREAK_EVERY)]
    return r"\allowbreak{}".join(parts)


def _letter(letter: str) -> str:
    if letter in TEX_SPECIAL:
        return TEX_SPECIAL[letter]
    parts = unicodedata.normalize("NFD", letter)
    latin = "À" <= letter <= "ſ" and len(parts) == 2 and parts[0].isascii()
    return letter if " " <= letter <= "~" or latin or letter in "ßæøåÆØÅœŒłŁ" else f"U+{ord(letter):04X}"
