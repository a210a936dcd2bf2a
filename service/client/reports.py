"""What the server answers about itself, as values: what fits into it, what a reload has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """A bound, what of it is in use, and the rest."""

    most: int
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class ModelCapacity:
    """Room of one model; `row_bytes` are of one text, `session_bytes` of a session's row."""

    row_bytes: int
    session_bytes: int
    rows: Room
    waiting: Room
    cache_bytes: Room
    cached_rows: int
    free_sessions: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """Room of a server: models by `name@version`, and what they share."""

    models: Mapping[str, ModelCapacity]
    sessions: Room
    session_bytes: Room
    account_sessions: int
    result_bytes: Room


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload has done; models are `name@version`.

    Attributes:
        added: Served from now on.
        removed: Not any more, but for sessions and texts that have begun on them.
        kept: Served as before.
        refused: Should be served and cannot be, with the reason.
        default: Answers requests that name no model.
        aliases: Names of the store's own.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    refused: Mapping[str, str]
    default: str | None
    aliases: Mapping[str, str]
