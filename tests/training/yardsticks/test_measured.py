"""The same tokens of the same text as the model's figure."""

from __future__ import annotations

import gzip
import lzma
import math
from itertools import count

import numpy as np
import pytest

from tests.training.tiny import sentences
from training.yardsticks import measured
from training.yardsticks.archivers import Packed, pack
from training.yardsticks.measured import Yardstick, Yardsticks, spread, yardsticks_of
from training.yardsticks.ngrams import NGrams

PACKED = Packed(10, True, 3.0, 4.0)


@pytest.mark.parametrize("are_items", [False, True])
def test_archivers_are_those_that_everybody_has(are_items: bool) -> None:
    """The sizes of `gzip -9` and `xz`; per character, of which the ends of items are none."""
    lines = sentences(5_000).splitlines(keepends=not are_items)
    content = sentences(5_000).encode()
    packed = pack(lines, are_items=are_items)

    assert packed.num_characters == sum(map(len, lines))
    assert packed.is_all
    sizes = [bits * packed.num_characters / 8 for bits in (packed.gzip_bits, packed.xz_bits)]
    assert [len(gzip.compress(content, 9)), len(lzma.compress(content))] == pytest.approx(sizes)


def test_packing_ends() -> None:
    """Of a text without end the beginning is packed."""
    packed = pack((f"{n}\n" for n in count()), are_items=False, max_bytes=1000)

    assert 1000 <= packed.num_characters < 1010
    assert not packed.is_all


def test_figures_are_per_character() -> None:
    """Two tokens for each character: twice the bits."""
    draws = np.random.default_rng(0)
    train, held_out = draws.integers(0, 4, 4000), draws.integers(0, 4, 400)
    found = yardsticks_of(
        train, held_out, ["ab" * 100], vocabulary_size=4, num_characters=200, are_items=False
    )
    by_name = {row.name: row.bits_per_character for row in found.rows}
    bits = NGrams([train], 4).bits([held_out])

    assert list(by_name)[:2] == ["uniform", "unigram"]
    assert list(by_name)[-3:] == ["5-gram", "gzip -9", "xz"]
    assert by_name["uniform"] == 2 * math.log2(4)
    assert by_name["5-gram"] == pytest.approx(2 * bits[4])
    assert (found.counted, found.measured) == ((4000, 4000), (400, 400))
    assert found.notes == []


def test_samples_are_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long text stretches from all over it are taken; nothing is claimed of a sample."""
    monkeypatch.setattr(measured, "MAX_COUNTED", 640)
    monkeypatch.setattr(measured, "MAX_MEASURED", 640)
    ids = np.arange(10_000) % 7
    found = yardsticks_of(
        ids, ids, ["text"], vocabulary_size=7, num_characters=10_000, are_items=False
    )

    assert found.notes == [
        "n-grams are counted on 640 of 10,000 training tokens",
        "n-grams are measured on 640 of 10,000 held-out tokens",
    ]
    assert found.verdict(0.1) is None
    stretches = spread(np.arange(10_000), 640)
    assert (stretches[0][0], stretches[-1][-1], len(stretches)) == (0, 9_999, 64)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (1.5, "the model needs 25.0% fewer bits than the 3-gram does"),
        (2.0, "the 3-gram needs fewer bits than the model"),
        (2.5, "the 3-gram needs fewer bits than the model"),
    ],
)
def test_better_is_said_only_where_it_is_true(bits: float, words: str) -> None:
    """Against the best of them, not against the one that looks worst."""
    names = {"uniform": 6.0, "unigram": 4.0, "3-gram": 2.0, "5-gram": 2.2, "xz": 1.0}
    rows = tuple(Yardstick(name, value) for name, value in names.items())
    verdict = Yardsticks(rows, (9, 9), (9, 9), PACKED).verdict(bits)

    assert verdict is not None
    assert verdict.startswith(words)
