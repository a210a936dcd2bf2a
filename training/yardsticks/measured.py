"""The yardsticks of a model: the same tokens of the same held-out text, without a network.

Uniform and n-grams predict the very tokens that the model is measured on, so all stand in bits per
character as the model's figure does: bits per token, times tokens per character. The archivers know
nothing but the held-out text itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.yardsticks.archivers import Packed, pack
from training.yardsticks.ngrams import NGrams

Ids = NDArray[np.integer]
MAX_COUNTED, MAX_MEASURED = 1 << 21, 1 << 20
"""Tokens of the training and of the held-out part that n-grams are made of and measured on."""
_STRETCHES = 64


@dataclass(frozen=True)
class Yardstick:
    """One of them."""

    name: str
    bits_per_character: float


@dataclass(frozen=True)
class Yardsticks:
    """All of one held-out text.

    Attributes:
        rows: In the order in which they are shown.
        counted: Tokens of the training part that the n-grams were counted on, and all there are.
        measured: Tokens of the held-out part that they were measured on, and all there are.
        packed: What the archivers packed.
    """

    rows: tuple[Yardstick, ...]
    counted: tuple[int, int]
    measured: tuple[int, int]
    packed: Packed

    @property
    def notes(self) -> list[str]:
        """What was not measured on all of the text, a sentence each."""
        notes = []
        if self.counted[0] < self.counted[1]:
            notes.append(
                "n-grams are counted on {:,} of {:,} training tokens".format(*self.counted)
            )
        if self.measured[0] < self.measured[1]:
            notes.append(
                "n-grams are measured on {:,} of {:,} held-out tokens".format(*self.measured)
            )
        if not self.packed.is_all:
            notes.append(
                f"gzip and xz pack the first {self.packed.num_characters:,} held-out characters"
            )
        return notes

    def verdict(self, bits_per_character: float) -> str | None:
        """How a model that was measured on all of the held-out part compares with the best n-gram.

        None if the two were not measured on the same tokens: then there is nothing that is
        certainly true.
        """
        if self.measured[0] < self.measured[1]:
            return None
        best = min(
            (row for row in self.rows if row.name.endswith("gram")),
            key=lambda row: row.bits_per_character,
        )
        ratio = bits_per_character / best.bits_per_character
        if ratio < 1.0:
            return f"the model needs {1 - ratio:.1%} fewer bits than the {best.name} does"
        return (
            f"the {best.name} needs fewer bits than the model: it has not learned yet what "
            "counting gives; train it longer, or on more text"
        )


def yardsticks_of(
    train: Ids,
    held_out: Ids,
    texts: Iterable[str],
    *,
    vocabulary_size: int,
    num_characters: int,
    are_items: bool,
) -> Yardsticks:
    """Measure them all; a few seconds, whatever the sizes.

    Args:
        train: Ids of the training part, int[N], on disk maybe.
        held_out: Ids of the held-out part, at least 2.
        texts: The held-out part's text.
        vocabulary_size: Number of ids.
        num_characters: Of the held-out part.
        are_items: Whether each of `texts` is a text by itself.
    """
    counted, measured = spread(train, MAX_COUNTED), spread(held_out, MAX_MEASURED)
    bits = NGrams(counted, vocabulary_size).bits(measured)
    packed = pack(texts, are_items=are_items)
    tokens_per_character = len(held_out) / num_characters
    by_name = {"uniform": math.log2(vocabulary_size)}
    by_name |= {ngram_name(order): float(bits[order - 1]) for order in _shown(bits)}
    rows = [Yardstick(name, value * tokens_per_character) for name, value in by_name.items()]
    rows += [Yardstick("gzip -9", packed.gzip_bits), Yardstick("xz", packed.xz_bits)]
    return Yardsticks(
        tuple(rows),
        (sum(map(len, counted)), len(train)),
        (sum(map(len, measured)), len(held_out)),
        packed,
    )


def _shown(bits: NDArray[np.float64]) -> list[int]:
    """Single tokens, the longest, and the best if it is another one."""
    return sorted({1, int(bits.argmin()) + 1, len(bits)})


def ngram_name(order: int) -> str:
    """As people call it."""
    return "unigram" if order == 1 else f"{order}-gram"


def spread(ids: Ids, max_tokens: int) -> list[Ids]:
    """All of ids, or stretches of it that are spread evenly, `max_tokens` together."""
    if len(ids) <= max_tokens:
        return [np.asarray(ids)]
    length = max_tokens // _STRETCHES
    starts = np.linspace(0, len(ids) - length, _STRETCHES).astype(np.int64)
    return [np.asarray(ids[start : start + length]) for start in starts]
