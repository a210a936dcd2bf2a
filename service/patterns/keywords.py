"""Keywords of JSON schemas, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

REMARKS = frozenset(
    [
        "$comment",
        "$id",
        "$schema",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
"""Keywords that say nothing about what fits (`discriminator` is OpenAPI's, and a hint)."""

DEFINITIONS = frozenset({"$defs", "definitions"})
ALTERNATIVES = ("anyOf", "oneOf")


class SchemaRefused(Exception):
    """There is no one schema for this; the message names the place."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place or 'the schema'}: {reason}")


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, where true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def asserts(schema: Schema, *but: str) -> bool:
    """Whether a schema says anything that a text has to fit, beside what `but` names."""
    return bool(schema.keys() - REMARKS - DEFINITIONS - {*but})
