"""What a unit may react to, found in a text by rules: a number for each of its characters.

Marks are 0 or 1; `column` and `line` count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from service.rows.arrays import Float32

Detector = Callable[[str], Float32]

_SPEAKER = re.compile(r"(?:\A|(?<=\n\n))[^\n:]{1,40}:(?=\n)")
_FIRST_LINE = re.compile(r"\A[^\n]+")
_LINE_END = re.compile(r"[^\n](?=\n|\Z)")
_LINE_START = re.compile(r"(?:\A|(?<=\n))[^\n]")
# Straight marks are alike at both ends; of the others each has one that closes it.
_QUOTED = re.compile('"[^"]*"|\u201c[^\u201d]*\u201d|\u300c[^\u300d]*\u300d')


def marked(spans: Iterable[tuple[int, int]], num_characters: int) -> Float32:
    """1 at the characters from each start to before its end, 0 elsewhere."""
    marks = np.zeros(num_characters, np.float32)
    for start, end in spans:
        marks[start:end] = 1
    return marks


def _matches(pattern: re.Pattern[str]) -> Detector:
    return lambda text: marked((found.span() for found in pattern.finditer(text)), len(text))


def _capitals(text: str) -> Float32:
    return np.fromiter((sign.isupper() for sign in text), np.float32, len(text))


def _columns(text: str) -> Float32:
    """How many characters of its line are before each; a line break is the last of its line."""
    starts = np.zeros(len(text), np.int64)
    for found in re.finditer("\n", text):
        starts[found.end() :] = found.end()
    return (np.arange(len(text)) - starts).astype(np.float32)


def _lines(text: str) -> Float32:
    """How many lines of the text are complete before each character."""
    breaks = np.fromiter((sign == "\n" for sign in text), np.int64, len(text))
    return (np.cumsum(breaks) - breaks).astype(np.float32)


DETECTORS: Mapping[str, Detector] = {
    "quotes": _matches(_QUOTED),
    "line_start": _matches(_LINE_START),
    "line_end": _matches(_LINE_END),
    "capitals": _capitals,
    "speaker": _matches(_SPEAKER),
    "first_line": _matches(_FIRST_LINE),
    "column": _columns,
    "line": _lines,
}
"""quotes: from a quotation mark to the one that closes it. line_start, line_end: the first and the
last character of a line, without the break. capitals: capital letters. speaker: the name and colon
of a line that is nothing else, after an empty line. first_line: the first line of the text.
column: characters of the line so far. line: lines of the text so far."""
COUNTING = frozenset({"column", "line"})
"""Detectors whose numbers are no marks."""


def by_token(values: Float32, spans: Sequence[tuple[int, int]]) -> Float32:
    """A number for each token: the largest of its characters; 0 of a token that has none."""
    return np.array([values[a:b].max() if a < b else 0.0 for a, b in spans], np.float32)
