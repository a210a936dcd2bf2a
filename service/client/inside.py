"""A look inside of a model: what is asked, and what the server answers, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from . import calls
from .calls import Call
from .values import Candidate

Detector = Literal[
    "quotes", "line_start", "line_end", "capitals", "speaker", "first_line", "column", "line"
]
Score = Literal["correlation", "mutual_information"]


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """A token of a text, its characters, and its natural log-probability; none of the first one."""

    id: int
    token: str
    start: int
    end: int
    logprob: float | None
    surprisal_bits: float | None
    top: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class InspectedActivation:
    """What units were after each token: a row for each token, a number for each unit."""

    name: str
    units: tuple[int, ...]
    values: tuple[tuple[float, ...], ...] | None
    base64: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model computed while it read a text; `text` is as it was read.

    `available` is how many units each of the model's activations has.
    """

    model: str
    text: str
    unknown_tokens: int
    available: Mapping[str, int]
    tokens: tuple[InspectedToken, ...]
    activations: tuple[InspectedActivation, ...]


@dataclass(frozen=True, slots=True)
class ReactingUnit:
    """A unit, its score, and its mean at marked tokens and at the others."""

    activation: str
    unit: int
    score: float
    mean_inside: float | None
    mean_outside: float | None


@dataclass(frozen=True, slots=True)
class ReactingUnits:
    """The units whose scores are the largest, by their size."""

    model: str
    score: Score
    num_tokens: int
    num_marked: int
    units: tuple[ReactingUnit, ...]


def inspection(
    text: str,
    activations: Mapping[str, Sequence[int] | None],
    model: str | None,
    logprobs: int | None,
    timeout_s: float | None,
) -> Call:
    """A text to be read."""
    wanted = [
        {"name": name} if units is None else {"name": name, "units": list(units)}
        for name, units in activations.items()
    ]
    return calls.question(
        "/inspect",
        {
            "text": text,
            "activations": wanted,
            "model": model,
            "logprobs": logprobs,
            "timeout_s": timeout_s,
        },
    )


def search(
    text: str,
    mark: Detector | Sequence[tuple[int, int]],
    activations: Sequence[str] | None,
    score: Score,
    top: int,
    model: str | None,
    timeout_s: float | None,
) -> Call:
    """A text, and what to look for in it."""
    what = {"detector": mark} if isinstance(mark, str) else {"spans": [list(s) for s in mark]}
    return calls.question(
        "/inspect/units",
        {
            "text": text,
            **what,
            "activations": None if activations is None else list(activations),
            "score": score,
            "top": top,
            "model": model,
            "timeout_s": timeout_s,
        },
    )
