"""Patterns of names of files."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


def _several(value: object) -> object:
    """One pattern need not stand in a list."""
    return (value,) if isinstance(value, str) else value


def _below_the_folder(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        parts = pattern.split("/")
        if not all(parts) or ".." in parts:
            raise ValueError(
                f"{pattern!r} is no pattern of names below the folder, like '**/*.py' or '*.txt'"
            )
        hidden = next((part for part in parts if part.startswith(".")), None)
        if hidden is not None:
            raise ValueError(
                f"{pattern!r}: {hidden} is hidden, and hidden parts of a folder are left out; "
                "give that folder itself as the path"
            )
    return patterns


Globs = Annotated[
    tuple[str, ...],
    Field(strict=False),
    BeforeValidator(_several),
    AfterValidator(_below_the_folder),
]
