"""One pass over a text: how open gates are, how long units remember, what reacts to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.rows.arrays import Float32, Float64
from service.runtime.inside.detectors import COUNTING, DETECTORS
from service.runtime.inside.reactions import Correlation, MutualInformation, Score
from training.inside.reading import GATES, KEEPING, Inside, TokenText

OPEN, SHUT = 0.9, 0.1
"""Karpathy, Johnson & Li 2015 (arXiv:1506.02078): beyond these a gate is saturated."""
_FEW = 20
ScoreName = Literal["correlation", "mutual_information"]


@dataclass(frozen=True)
class Openness:
    """Of each unit of one gate, over the tokens of a text.

    Attributes:
        open_W: Share of tokens after which it is above 0.9, float64[W].
        shut_W: Share at which it is below 0.1.
        mean_W: Its mean.
    """

    open_W: Float64
    shut_W: Float64
    mean_W: Float64

    @property
    def memory_tokens(self) -> Float64:
        """Tokens that a unit remembers, of a gate that keeps the past: 1 / (1 - mean).

        What is in a leaky unit fades as f^t; 1 / (1 - f) is its characteristic time (Tallec &
        Ollivier 2018, arXiv:1804.11188, section 2). It is that of a unit that is never written to.
        """
        memory: Float64 = 1.0 / np.maximum(1.0 - self.mean_W, 1e-6)
        return memory


@dataclass(frozen=True)
class Unit:
    """A unit of an activation, and what it scores against a detector."""

    activation: str
    number: int
    score: float

    def __str__(self) -> str:
        return f"{self.activation}.{self.number}"


@dataclass(frozen=True)
class Survey:
    """What one pass has found.

    Attributes:
        gates: By activation.
        reactions: The units that react most to each detector, the most first.
    """

    gates: Mapping[str, Openness]
    reactions: Mapping[str, list[Unit]]

    @property
    def keeping(self) -> dict[str, Openness]:
        """The gates that keep the past."""
        return {name: each for name, each in self.gates.items() if kind_of(name) in KEEPING}


def survey(inside: Inside, text: TokenText, score: ScoreName, top: int) -> Survey:
    """Read a text once.

    Args:
        inside: The model.
        text: What it reads.
        score: How reactions are measured; see `service.runtime.inside.reactions`.
        top: Units of each detector.
    """
    gates = inside.of_kind(GATES)
    counts = {name: np.zeros((3, inside.widths[name])) for name in gates}
    marks = _marks(text, score)
    scores: dict[str, dict[str, Score]] = {
        detector: {name: _score(score, name) for name in inside.widths} for detector in marks
    }
    start = 0
    for piece in inside.read(text.id_T, inside.widths):
        part = slice(start, start + len(piece.logits_TV))
        start = part.stop
        for name, value_TW in piece.activations.items():
            if name in counts:
                counts[name] += [
                    (value_TW > OPEN).sum(0),
                    (value_TW < SHUT).sum(0),
                    value_TW.sum(0, dtype=np.float64),
                ]
            for detector, mark_T in marks.items():
                scores[detector][name].add(value_TW, mark_T[part])
    return Survey(
        {name: Openness(*(count / len(text))) for name, count in counts.items()},
        {detector: _best(each, top) for detector, each in scores.items()},
    )


def values_of(inside: Inside, text: TokenText, names: list[str]) -> dict[str, Float32]:
    """All values of some activations, float32[T, W]: for texts that are short."""
    pieces = list(inside.read(text.id_T, names))
    return {name: np.concatenate([piece.activations[name] for piece in pieces]) for name in names}


def mean_by_count(
    inside: Inside, text: TokenText, detector: str, units: Sequence[Unit]
) -> dict[str, Float32]:
    """Mean of each unit by what a counting detector has counted: up to where few tokens are left.

    Returns:
        float32[N], for counts 0 to N - 1.
    """
    count_T = text.marks(detector).astype(np.int64)
    num_N = np.bincount(count_T)
    too_few = np.flatnonzero(num_N < _FEW)
    end = int(too_few[0]) if len(too_few) else len(num_N)
    values = values_of(inside, text, list({unit.activation for unit in units}))
    means = {}
    for unit in units:
        sum_N = np.bincount(count_T, weights=values[unit.activation][:, unit.number])
        means[str(unit)] = (sum_N[:end] / num_N[:end]).astype(np.float32)
    return means


def kind_of(activation: str) -> str:
    """`layer1.f` is an `f`."""
    return activation.rpartition(".")[2]


def _marks(text: TokenText, score: ScoreName) -> dict[str, Float32]:
    """Of the detectors that tell tokens of this text apart."""
    found = {name: text.marks(name) for name in DETECTORS}
    return {
        name: mark_T
        for name, mark_T in found.items()
        if np.ptp(mark_T) > 0 and (score == "correlation" or name not in COUNTING)
    }


def _score(score: ScoreName, name: str) -> Score:
    if score == "correlation":
        return Correlation()
    return MutualInformation(is_bounded=kind_of(name) != "c")


def _best(scores: Mapping[str, Score], top: int) -> list[Unit]:
    units = [
        Unit(name, number, value)
        for name, each in scores.items()
        for number, value in enumerate(each.scores().tolist())
    ]
    return sorted(units, key=lambda unit: -abs(unit.score))[:top]
