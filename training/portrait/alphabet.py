"""Which characters a text has: how often, of which scripts, and where the rare ones stand."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fontTools import unicodedata as scripts

from training.portrait.blocks import code_points

_KINDS = {
    "L": "letters",
    "M": "marks",
    "N": "digits and numbers",
    "P": "punctuation",
    "S": "symbols and emoji",
    "Z": "spaces",
    "C": "control and invisible",
}
_OF_NO_SCRIPT = ("Common", "Inherited", "Unknown")
_NUM_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Sign:
    """One character of a text."""

    character: str
    count: int
    first_line: int
    """Where it stands first, from 1."""


@dataclass(frozen=True)
class Script:
    """The characters of one script or kind."""

    name: str
    count: int
    num_kinds: int


@dataclass(frozen=True)
class Alphabet:
    """All characters of a text, the most frequent first."""

    signs: tuple[Sign, ...]

    @property
    def num_characters(self) -> int:
        """Of the whole text; of items the newlines between them too."""
        return sum(sign.count for sign in self.signs)

    @property
    def scripts(self) -> list[Script]:
        """The most frequent first."""
        counts: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for sign in self.signs:
            name = script_of(sign.character)
            counts[name] += sign.count
            kinds[name] += 1
        return [Script(name, count, kinds[name]) for name, count in counts.most_common()]

    @property
    def controls(self) -> list[Sign]:
        """What is no text for most: controls but newline and tab, and what cannot be seen."""
        return [
            sign
            for sign in self.signs
            if unicodedata.category(sign.character)[0] == "C" and sign.character not in "\n\t"
        ]

    def rarest(self, number: int) -> Sequence[Sign]:
        """The last ones."""
        return self.signs[::-1][:number]

    def num_rarer_than(self, count: int) -> int:
        """How many characters come less often than that."""
        return sum(sign.count < count for sign in self.signs)


class AlphabetCounter:
    """Counts block by block, in a fixed amount of memory."""

    def __init__(self) -> None:
        self._counts = np.zeros(_NUM_CODE_POINTS, np.int64)
        self._first_lines: dict[int, int] = {}
        self._line = 1

    def read(self, block: str) -> None:
        """Count what comes next."""
        counts = np.bincount(code_points(block))
        for number in np.flatnonzero((counts > 0) & (self._counts[: len(counts)] == 0)).tolist():
            place = block.index(chr(number))
            self._first_lines[number] = self._line + block.count("\n", 0, place)
        self._counts[: len(counts)] += counts
        self._line += block.count("\n")

    def alphabet(self) -> Alphabet:
        """What has been read so far."""
        signs = [
            Sign(chr(number), int(self._counts[number]), line)
            for number, line in self._first_lines.items()
        ]
        signs.sort(key=lambda sign: (-sign.count, sign.character))
        return Alphabet(tuple(signs))


def script_of(character: str) -> str:
    """Letters by their script, all else by its kind."""
    if character in "\n\t":
        return "line ends and tabs"
    kind = unicodedata.category(character)[0]
    script = str(scripts.script_name(scripts.script(character)))
    if kind in "LM" and script not in _OF_NO_SCRIPT:
        return script
    return _KINDS[kind]


def readable(character: str) -> str:
    """The character, or its number and name if it cannot be seen by itself."""
    known = {"\n": "newline", "\t": "tab", " ": "space"}
    if character in known:
        return known[character]
    if unicodedata.category(character)[0] in "CZM":
        name = unicodedata.name(character, "control")
        return f"U+{ord(character):04X} {name}"
    return character
