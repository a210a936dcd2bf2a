"""What is asked and told of a model's inside, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.inference.accounts import Ticket
from service.inference.errors import InvalidOption
from service.inference.figures import TokenFigures
from service.models.registry import ServedModel
from service.rows.arrays import Float32, Int64
from service.runtime.inside.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Wanted:
    """An activation that is asked for; of all its units, or of some."""

    name: str
    units: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """What some units of an activation were after each token, float32[T, U]."""

    name: str
    units: tuple[int, ...]
    values_TU: Float32


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text as a model reads it.

    Attributes:
        text: Cleaned.
        id_T: Its tokens, without what the model reads in front of every text.
        spans: The characters of each token: start and end.
        opening: How many tokens are read in front of it.
        unknown_tokens: Of it, those that stand for what was never seen.
    """

    text: str
    id_T: Int64
    spans: Sequence[tuple[int, int]]
    opening: int
    unknown_tokens: int

    def opened(self, model: ServedModel) -> Int64:
        """What the model reads: its own beginning of texts first, where it has one."""
        start = [model.manifest.special_ids.start] * self.opening
        return np.concatenate([np.array(start, np.int64), self.id_T])


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model computed while it read a text. Call `ticket.close` when it is sent.

    `figures` are of the last tokens, as many as have a probability: where nothing is read in front
    of a text, its first token has none. `available` is how many units each activation of it has.
    """

    model: ServedModel
    read: ReadText
    figures: TokenFigures
    available: Mapping[str, int]
    activations: Sequence[Activation]
    ticket: Ticket


def chosen_units(recorder: Recorder, wanted: Sequence[Wanted]) -> dict[str, list[int]]:
    """The units of each activation that is asked for.

    Raises:
        InvalidOption: One is not there, or an activation is asked for twice.
    """
    names = [each.name for each in wanted]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidOption("activations", f"activations: {twice} is asked for twice")
    return {each.name: _units(recorder, each) for each in wanted}


def _units(recorder: Recorder, wanted: Wanted) -> list[int]:
    width = _width(recorder, wanted.name)
    if wanted.units is None:
        return list(range(width))
    wrong = next((unit for unit in wanted.units if not 0 <= unit < width), None)
    if wrong is not None:
        raise InvalidOption(
            "activations",
            f"activations: {wanted.name} has no unit {wrong}: they are 0 to {width - 1}",
        )
    return list(wanted.units)


def names_of(recorder: Recorder, asked: Sequence[str] | None) -> list[str]:
    """The activations that are asked for; all of them, if none are.

    Raises:
        InvalidOption: One is not there.
    """
    for name in asked or ():
        _width(recorder, name)
    return list(asked or recorder.widths)


def _width(recorder: Recorder, name: str) -> int:
    if name not in recorder.widths:
        raise InvalidOption(
            "activations",
            f"activations: the model has no {name!r}; it has {', '.join(recorder.widths)}",
        )
    width: int = recorder.widths[name]
    return width
