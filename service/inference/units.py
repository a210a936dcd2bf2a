"""Which units of a model react most to a mark of a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.inference.errors import InvalidOption
from service.rows.arrays import Float32, Float64
from service.runtime.inside.detectors import COUNTING, DETECTORS, by_token, marked
from service.runtime.inside.reactions import Correlation, MutualInformation, Score
from service.runtime.inside.recorder import Recorded

ScoreName = Literal["correlation", "mutual_information"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look for: a detector's marks, or those of spans of characters; never both.

    Attributes:
        detector: One of `DETECTORS`.
        spans: Start and end, end excluded, of what is marked.
        activations: Whose units; None: all.
        score: How reactions are measured.
        top: So many units are told.
    """

    detector: str | None
    spans: tuple[tuple[int, int], ...] | None
    activations: tuple[str, ...] | None
    score: ScoreName
    top: int


@dataclass(frozen=True, slots=True)
class Reaction:
    """A unit, its score, and its mean value at marked tokens and at the others."""

    activation: str
    unit: int
    score: float
    mean_inside: float | None
    mean_outside: float | None


@dataclass(frozen=True, slots=True)
class Reacting:
    """The units with the largest scores, by their size; `num_marked` of the tokens are marked."""

    model: str
    num_tokens: int
    num_marked: int
    units: tuple[Reaction, ...]


def require_spans(spans: Sequence[tuple[int, int]], text: str, cleaned: str) -> None:
    """Raise InvalidOption if spans of a client's text are none of the text that is read."""
    if text != cleaned:
        raise InvalidOption(
            "spans",
            "spans: the model reads the text cleaned, in which characters have other places; "
            "mark the `text` that /inspect tells",
        )
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise InvalidOption(
                "spans", f"spans: [{start}, {end}] is no part of {len(text)} characters"
            )


def target_of(asked: Asked, text: str, spans: Sequence[tuple[int, int]]) -> Float32:
    """What is looked for at each token, float32[T].

    Raises:
        InvalidOption: All tokens are alike in it, or the score is not for it.
    """
    if asked.detector in COUNTING and asked.score == "mutual_information":
        raise InvalidOption("score", f"score: {asked.detector} counts, which needs correlation")
    name = "spans" if asked.detector is None else "detector"
    if asked.detector is None:
        values = marked(asked.spans or (), len(text))
    else:
        values = DETECTORS[asked.detector](text)
    target_T = by_token(values, spans)
    if np.ptp(target_T) == 0:
        which = "all" if target_T[0] else "none"
        raise InvalidOption(name, f"{name}: {which} of the text's tokens are marked")
    return target_T


def score_units(
    model: str,
    asked: Asked,
    widths: Mapping[str, int],
    names: Sequence[str],
    pieces: Iterable[Recorded],
    target_T: Float32,
    opening: int,
) -> Reacting:
    """Look at all units, piece by piece.

    Args:
        model: For the answer.
        asked: As it was asked.
        widths: Of the activations.
        names: Of those that are looked at.
        pieces: Of the text.
        target_T: What is looked for.
        opening: Tokens in front of the text, which have no part in it.
    """
    scores: dict[str, Score] = {name: _score(asked, name) for name in names}
    inside = {name: np.zeros(widths[name]) for name in names}
    outside = {name: np.zeros(widths[name]) for name in names}
    is_marked_T = target_T > 0
    place = -opening
    for piece in pieces:
        skipped = max(-place, 0)
        part = slice(place + skipped, place + len(piece.logits_TV))
        place = part.stop
        for name in names:
            values_TW = piece.activations[name][skipped:]
            scores[name].add(values_TW, target_T[part])
            inside[name] += values_TW[is_marked_T[part]].sum(0, dtype=np.float64)
            outside[name] += values_TW[~is_marked_T[part]].sum(0, dtype=np.float64)
    num_marked = int(is_marked_T.sum())
    best = _best({name: score.scores() for name, score in scores.items()}, asked.top)
    counts = asked.detector in COUNTING
    return Reacting(
        model,
        len(target_T),
        num_marked,
        tuple(
            Reaction(
                name,
                unit,
                score,
                None if counts else float(inside[name][unit] / num_marked),
                None if counts else float(outside[name][unit] / (len(target_T) - num_marked)),
            )
            for name, unit, score in best
        ),
    )


def _score(asked: Asked, name: str) -> Score:
    if asked.score == "correlation":
        return Correlation()
    return MutualInformation(is_bounded=name.rpartition(".")[2] != "c")


def _best(scores: Mapping[str, Float64], top: int) -> list[tuple[str, int, float]]:
    """The largest ones; equal ones in the order of the model."""
    found = [
        (name, unit, score)
        for name, score_W in scores.items()
        for unit, score in enumerate(score_W.tolist())
    ]
    return sorted(found, key=lambda each: -abs(each[2]))[:top]
