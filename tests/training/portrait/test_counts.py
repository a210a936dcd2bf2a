"""What is counted of a text, whatever the blocks in which it is read."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tiny import sentences
from training.corpora.corpus import Corpus, Texts
from training.portrait.alphabet import AlphabetCounter, readable, script_of
from training.portrait.blocks import in_blocks
from training.portrait.items import item_advice
from training.portrait.lines import Layout, LayoutCounter, PieceCounter
from training.portrait.portrait import character_bits, portrait_of, sampled

TEXTS = st.text(st.sampled_from("ab \n漢😀\x01"), min_size=1, max_size=60)


def layout_of(*blocks: str) -> Layout:
    """Read in these blocks."""
    counter = LayoutCounter()
    for block in blocks:
        counter.read(block)
    return counter.layout()


def corpus_of(text: str, *, items: bool = False) -> Corpus:
    """Nine tenths to train on."""
    pieces = text.splitlines(keepends=not items)
    total = sum(map(len, pieces))
    cut = sum(map(len, pieces[: max(1, len(pieces) * 9 // 10)])) if items else total * 9 // 10
    return Corpus(
        name="text",
        source="test",
        licence=None,
        sha256="0" * 64,
        train=Texts(lambda: iter(pieces), 0, cut),
        validation=Texts(lambda: iter(pieces), cut, total),
        has_items=items,
    )


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_every_character_is_counted_and_found(blocks: list[str]) -> None:
    """With the line where it stands first."""
    counter = AlphabetCounter()
    for block in blocks:
        counter.read(block)
    text = "".join(blocks)
    signs = counter.alphabet().signs

    assert {sign.character: sign.count for sign in signs} == Counter(text)
    assert [sign.count for sign in signs] == sorted(Counter(text).values(), reverse=True)
    for sign in signs:
        assert sign.first_line == text[: text.index(sign.character)].count("\n") + 1


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_lines_and_paragraphs_are_those_of_the_whole_text(blocks: list[str]) -> None:
    """A block may end in the middle of either."""
    text = "".join(blocks)
    lines = text.removesuffix("\n").split("\n")
    full = [line for line in lines if line.strip()]
    paragraphs = [part for part in re.split(r"(?:^|\n)(?: *\n)+", text) if part.strip()]
    found = layout_of(*blocks)

    assert (found.num_lines, found.num_empty_lines) == (len(lines), len(lines) - len(full))
    assert found.lines.number == len(full)
    assert found.lines.longest == max(map(len, full), default=0)
    assert found.lines.copies == pytest.approx(1 - len(set(full)) / len(full) if full else 0)
    assert found.paragraphs.number == len(paragraphs)


def test_a_text_without_line_ends_is_not_kept() -> None:
    """A genome is one line: it is read in parts."""
    counter = LayoutCounter()
    for _ in range(8):
        counter.read("acgt" * (1 << 18))
        assert len(counter._rest) <= 1 << 20
    assert counter.layout().lines.number >= 4


def test_copies_of_many_lines_are_counted_on_a_sample() -> None:
    """Every fourth line comes twice: a fifth of all are copies."""
    counter = PieceCounter(max_remembered=500)
    lines = [f"line {n}" for n in range(8000)]
    counter.read(lines + lines[::4])
    counted = counter.counted()

    assert counted.sampled >= 16
    assert counted.number == 10_000
    assert counted.copies == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("character", "script", "name"),
    [
        ("a", "Latin", "a"),
        ("я", "Cyrillic", "я"),
        ("漢", "Han", "漢"),
        ("א", "Hebrew", "א"),
        ("7", "digits and numbers", "7"),
        ("😀", "symbols and emoji", "😀"),
        ("\n", "line ends and tabs", "newline"),
        (" ", "spaces", "space"),
        ("\u00a0", "spaces", "U+00A0 NO-BREAK SPACE"),
        ("\x1b", "control and invisible", "U+001B control"),
        ("\u200b", "control and invisible", "U+200B ZERO WIDTH SPACE"),
        ("\u0301", "marks", "U+0301 COMBINING ACUTE ACCENT"),
    ],
)
def test_characters_are_called_what_they_are(character: str, script: str, name: str) -> None:
    """And what cannot be seen, or would move the terminal's cursor, by its number."""
    assert script_of(character) == script
    assert readable(character) == name


@pytest.mark.parametrize(
    ("text", "lines", "paragraphs"),
    [
        ("".join(f"name{n}\n" for n in range(300)), "yes", "no"),
        ("".join(f"verse {n}\nverse\n\n" for n in range(300)), "hardly", "yes"),
        ("one\n" * 10, "no", "no"),
        ("".join("word " * 100 + f"{n}\n" for n in range(300)), "hardly", "no"),
    ],
)
def test_what_may_be_items(text: str, lines: str, paragraphs: str) -> None:
    """Many short ones that stand by themselves."""
    advice = item_advice(layout_of(text))

    assert [words.split()[0].rstrip(",:") for words in advice] == [lines, paragraphs]


@pytest.mark.parametrize("items", [False, True])
def test_a_sample_comes_from_all_over_the_text(items: bool) -> None:
    """And is bounded; a text that is short enough is its own sample."""
    text = "".join(f"{n:07d}\n" for n in range(40_000))
    corpus = corpus_of(text, items=items)
    sample = sampled(corpus.train, 50_000, are_items=items)
    numbers = [int(n) for n in re.findall(r"\d{7}", "\n".join(sample))]

    assert 40_000 < sample.num_characters < 60_000
    assert numbers[0] == 0
    assert numbers[-1] > 30_000
    assert np.diff(numbers).max() < 10_000
    assert sampled(corpus.train, 10**6, are_items=items) is corpus.train


def test_what_is_held_out_is_not_counted() -> None:
    """A character that the training part does not have costs bits, and does not fail."""
    known = character_bits(corpus_of("ab" * 2000))
    unknown = character_bits(corpus_of("ab" * 1800 + "c" * 400))

    assert known[1] < 0.02
    assert unknown[1] > 1


def test_a_portrait() -> None:
    """All of it, of a text and of items: these have line ends that are no characters."""
    text = sentences(5_000)
    plain, items = portrait_of(corpus_of(text)), portrait_of(corpus_of(text, items=True))

    assert plain.num_characters == plain.num_bytes == 5_000
    assert not plain.is_sampled
    assert items.num_characters == 5_000 - text.count("\n")
    assert plain.alphabet == items.alphabet
    assert plain.layout.lines.number == items.layout.lines.number
    assert len(plain.bits_by_order) == 5
    # The same signs must be guessed, and are told per character: of items there are fewer.
    grown = plain.num_characters / items.num_characters
    assert items.uniform_bits == pytest.approx(plain.uniform_bits * grown)
    assert items.bits_by_order[0] == pytest.approx(plain.bits_by_order[0] * grown, rel=0.02)
    assert plain.bits_by_order[4] < plain.bits_by_order[0] < plain.uniform_bits
    many = corpus_of("".join(f"{n:07d}\n" for n in range(5_000)))
    small = portrait_of(many, sample_train=10_000, sample_held_out=1_000)
    assert small.is_sampled
    assert small.layout.lines.number == 5_000, "all of it is counted"


def test_blocks_are_the_text() -> None:
    """Items with a line end after each."""
    assert list(in_blocks(["a", "bc", "d"], are_items=True, size=4)) == ["a\nbc\n", "d\n"]
    assert list(in_blocks(["a", "bc", "d"], are_items=False, size=3)) == ["abc", "d"]
