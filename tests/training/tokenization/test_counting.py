"""Words that are counted in bounded memory."""

from __future__ import annotations

import random
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from tests.training.documented import documented
from training.config.text import TokenizerConfig
from training.tokenization import build
from training.tokenization.build import build_tokenizer
from training.tokenization.counting import WordCounter
from training.waiting import Waiting


def pieces(num_pieces: int, *, seed: int = 0) -> list[list[str]]:
    """Few words that come again and again, and in each piece many that never do."""
    draws = random.Random(seed)
    return [
        [*(f"w{min(int(draws.paretovariate(0.7)), 400)}" for _ in range(500)),
         *(f"x{piece}_{number}" for number in range(200))]
        for piece in range(num_pieces)
    ]  # fmt: skip


def counted(texts: list[list[str]], most_words: int, most_characters: int = 10**9) -> WordCounter:
    """By a counter with those bounds, which it keeps."""
    counter = WordCounter(most_words, most_characters, 64)
    for words in texts:
        counter.read(words, sum(map(len, words)))
        assert len(counter.counts) <= most_words
        assert sum(map(len, counter.counts)) <= most_characters
    return counter


def test_counts_are_exact_where_there_is_room() -> None:
    """And nothing is forgotten."""
    texts = pieces(20)
    counter = counted(texts, 10**6)
    assert counter.counts == Counter(word for words in texts for word in words)
    assert (0, 0) == (counter.short_by, counter.num_forgotten)


@pytest.mark.parametrize("bounds", [(1_500, 10**9), (10**9, 9_000), (900, 9_000)])
def test_rare_words_are_forgotten_and_it_is_known_how_far_counts_are_short(
    bounds: tuple[int, int],
) -> None:
    """No occurrence is lost of sight, and whatever is frequent is there."""
    texts = pieces(60)
    exact = Counter(word for words in texts for word in words)
    counter = counted(texts, *bounds)
    assert counter.short_by > 0
    assert counter.counts.total() + counter.num_forgotten == exact.total()
    for word, count in exact.items():
        assert count - counter.short_by <= counter.counts[word] <= count
    assert [word for word, _ in exact.most_common(5)] == [
        word for word, _ in counter.counts.most_common(5)
    ]


def test_one_piece_of_many_words_is_no_trouble() -> None:
    """All of them came once: none is rarer than another, and all go."""
    counter = counted([[f"x{number}" for number in range(1_000)], ["a", "a"]], 100)
    assert {"a": 2} == counter.counts
    assert (1_000, 1) == (counter.num_forgotten, counter.short_by)


def test_long_words_are_counted_though_they_are_forgotten() -> None:
    """How much of a text stands in them is known exactly."""
    texts = [[f"{number:0100d}", "short", "words"] for number in range(500)]
    few, all_of_them = counted(texts, 20, 3_000), counted(texts, 10**6)
    assert few.short_by
    assert few.share_in_long() == all_of_them.share_in_long() == pytest.approx(100 / 110)


def test_a_vocabulary_of_a_text_of_very_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frequent ones are in it, the text can be read, and it is said what was done."""
    texts = [" ".join(words) + "\n" for words in pieces(40)]
    config = TokenizerConfig(kind="word", max_size=50)
    exact = build_tokenizer(config, texts, has_items=False)
    monkeypatch.setattr(build, "_MOST_WORDS", 1_000)
    screen = StringIO()
    waiting = Waiting(Console(file=screen, width=400))
    bounded = build_tokenizer(config, texts, has_items=False, waiting=waiting)

    assert exact.vocabulary_size == bounded.vocabulary_size == 50
    text = "w1 w2 w3 w1"
    assert exact.encode(text).tolist() == bounded.encode(text).tolist()
    assert documented("rare ones were forgotten") in screen.getvalue()
    assert "1,000" in screen.getvalue()
