"""Patterns as clients of every dialect send them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from service.inference.errors import InvalidOption
from service.patterns.pattern import Pattern

MOST_PATTERN = 4096
"""Characters of a pattern."""


def regex_pattern(regex: str, param: str) -> Pattern:
    """The texts that match a regular expression.

    Raises:
        InvalidOption: It is too long.
    """
    return Pattern("regex", _short(regex, param), param)


def schema_pattern(schema: Mapping[str, Any], param: str) -> Pattern:
    """The texts that fit a JSON schema.

    Raises:
        InvalidOption: It is too long.
    """
    return Pattern("json_schema", _short(json.dumps(schema, separators=(",", ":")), param), param)


def _short(content: str, param: str) -> str:
    if len(content) > MOST_PATTERN:
        raise InvalidOption(
            param, f"{param}: the pattern has {len(content)} characters, more than {MOST_PATTERN}"
        )
    return content
