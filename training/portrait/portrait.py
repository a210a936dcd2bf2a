"""A portrait of a text: what one pass over it and a bounded sample of it tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from training.corpora.corpus import Corpus, Texts
from training.portrait.alphabet import Alphabet, AlphabetCounter
from training.portrait.blocks import code_points, in_blocks
from training.portrait.lines import Layout, LayoutCounter
from training.waiting import Work
from training.yardsticks.archivers import Packed, pack
from training.yardsticks.ngrams import NGrams

SAMPLE_TRAIN, SAMPLE_HELD_OUT = 2_000_000, 500_000
"""Characters of each part that n-grams and the pace of the training are measured on."""
_STRETCH = 1 << 13


@dataclass(frozen=True)
class Portrait:
    """What a text is."""

    num_characters: int
    num_bytes: int
    """Of UTF-8, after cleaning."""
    alphabet: Alphabet
    layout: Layout
    bits_by_order: tuple[float, ...]
    """Per character of the held-out part, by n-grams of 1, 2, ... characters that were counted on
    the training part."""
    packed: Packed
    """The held-out part."""
    sample: Corpus
    """The text, or stretches of it: small enough for everything."""

    @property
    def uniform_bits(self) -> float:
        """Per character, if each were equally frequent."""
        bits_per_sign = math.log2(max(len(self.alphabet.signs), 1))
        return bits_per_sign * self.alphabet.num_characters / self.num_characters

    @property
    def is_sampled(self) -> bool:
        """Whether the sample is less than the text."""
        return self.sample.num_characters < self.num_characters


def portrait_of(
    corpus: Corpus,
    work: Work | None = None,
    *,
    sample_train: int = SAMPLE_TRAIN,
    sample_held_out: int = SAMPLE_HELD_OUT,
) -> Portrait:
    """Read a text from beginning to end; the memory does not grow with it.

    Args:
        corpus: The text.
        work: Is told how far it is.
        sample_train: Characters of the training part that are looked at closely.
        sample_held_out: And of the held-out part.
    """
    work = work or Work("looking at all of it")
    alphabet, layout = AlphabetCounter(), LayoutCounter()
    num_bytes = 0
    parts = (corpus.train, corpus.validation, corpus.test)
    for block in in_blocks(
        work.over(chain.from_iterable(part for part in parts if part is not None)),
        are_items=corpus.has_items,
    ):
        alphabet.read(block)
        layout.read(block)
        num_bytes += len(block.encode("utf-8", "surrogatepass"))
    sample = replace(
        corpus,
        train=sampled(corpus.train, sample_train, are_items=corpus.has_items),
        validation=sampled(corpus.validation, sample_held_out, are_items=corpus.has_items),
        test=None,
    )
    return Portrait(
        num_characters=corpus.num_characters,
        num_bytes=num_bytes,
        alphabet=alphabet.alphabet(),
        layout=layout.layout(),
        bits_by_order=character_bits(sample),
        packed=pack(corpus.validation, are_items=corpus.has_items),
        sample=sample,
    )


def sampled(texts: Texts, max_characters: int, *, are_items: bool) -> Texts:
    """A part of a text, or about so many characters from all over it, held in memory.

    Whole items; of other texts stretches of 8,192 characters.
    """
    if texts.num_characters <= max_characters:
        return texts
    kept: list[str] = []
    num_kept = position = 0
    share = max_characters / texts.num_characters
    for piece in texts if are_items else _stretches(texts):
        position += len(piece)
        # Taken as soon as the sample is behind, so that it comes from all over the text.
        if num_kept < share * position and num_kept < max_characters:
            kept.append(piece)
            num_kept += len(piece)
    return Texts(lambda: iter(kept), 0, num_kept)


def _stretches(texts: Texts) -> Iterator[str]:
    for block in in_blocks(texts, are_items=False):
        for start in range(0, len(block), _STRETCH):
            yield block[start : start + _STRETCH]


def character_bits(corpus: Corpus) -> tuple[float, ...]:
    """Held-out cross-entropy in bits per character, by n-grams of each order.

    The newlines between items must be guessed too, but are no characters: as in a model's figure.
    """
    known, train = np.unique(_characters(corpus.train, corpus), return_inverse=True)
    held_out = _characters(corpus.validation, corpus)
    places = np.minimum(np.searchsorted(known, held_out), len(known) - 1)
    # One number more: for whatever the training part does not have.
    ids = np.where(known[places] == held_out, places, len(known))
    signs_per_character = len(ids) / corpus.validation.num_characters
    bits = NGrams([train], len(known) + 1).bits([ids]) * signs_per_character
    return tuple(bits.tolist())


def _characters(texts: Texts, corpus: Corpus) -> np.ndarray:
    return code_points("".join(in_blocks(texts, are_items=corpus.has_items)))
