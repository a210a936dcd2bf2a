"""What a text has to match, as a client says it, and why that cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["regex", "json_schema"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text has to match from its first character to its last.

    Attributes:
        kind: How it is written.
        content: A regular expression, or a JSON schema as JSON.
        param: What the client calls it.
    """

    kind: Kind
    content: str
    param: str


class PatternRefused(Exception):
    """It is no pattern, too large, or nothing that the model can write."""


_SCALAR = (
    r'("([^"\\\x00-\x1F\x7F-\x9F]|\\["\\/bfnrt])*"'
    r"|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)"
)


def _object(value: str) -> str:
    pair = rf'"([^"\\\x00-\x1F\x7F-\x9F]|\\["\\/bfnrt])*"[ ]?:[ ]?{value}'
    return rf"\{{[ ]?({pair}([ ]?,[ ]?{pair})*)?[ ]?\}}"


def _array(value: str) -> str:
    return rf"\[[ ]?({value}([ ]?,[ ]?{value})*)?[ ]?\]"


JSON_OBJECT = _object(f"({_SCALAR}|{_object(_SCALAR)}|{_array(_SCALAR)})")
"""Any JSON object whose values are scalars, or objects and lists of scalars.

A finite automaton cannot count brackets, so the depth is given; one more makes it four times as
large.
"""
