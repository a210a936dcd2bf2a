"""Byte pairs of texts without spaces: bounded, said, and alike in training and serving."""

from __future__ import annotations

import random
import re
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tokenizers import pre_tokenizers

from service.artifacts.tokenizer import Tokenizer
from tests.training.documented import documented
from training.config.text import TokenizerConfig
from training.tokenization import byte_pairs as module
from training.tokenization.build import build_tokenizer
from training.tokenization.byte_pairs import LONGEST_WORD
from training.tokenization.counting import count_characters
from training.tokenization.tokenizer import TextTokenizer
from training.waiting import Waiting

DRAWS = random.Random(0)
WITHOUT_SPACES = {
    "dna": "".join(DRAWS.choices("ACGT", k=20_000)),
    "base64": DRAWS.randbytes(20_000).hex(),
    "minified": "".join(f"f{n}(a,b){{return a+{n % 7}}};" for n in range(1_000)),
    "chinese": "".join(chr(0x4E00 + DRAWS.randrange(300)) for _ in range(20_000)),
    "one letter": "a" * 20_000,
    "spaces": " " * 20_000,
    "line ends": "\n" * 20_000,
    "dots": "." * 20_000,
    "emoji": "😀" * 20_000,
    "accents": "e\u0301" * 20_000,
}


PAIRS = TokenizerConfig(kind="bpe", vocabulary_size=300)


def built(
    *texts: str, console: Console | None = None, config: TokenizerConfig = PAIRS
) -> TextTokenizer:
    """Of the texts."""
    return build_tokenizer(config, texts, has_items=False, waiting=Waiting(console))


def printed(*texts: str, config: TokenizerConfig = PAIRS) -> str:
    """What is said while they are read."""
    console = Console(file=StringIO(), width=20)
    built(*texts, console=console, config=config)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", WITHOUT_SPACES)
def test_texts_without_spaces(kind: str) -> None:
    """No word is long; nothing is lost; the service cuts a prompt where training has."""
    text = WITHOUT_SPACES[kind]
    tokenizer = built(text)
    words = tokenizer.backend.pre_tokenizer.pre_tokenize_str(text)
    assert max(end - start for _, (start, end) in words) <= LONGEST_WORD
    ids = tokenizer.encode(text).tolist()
    content = tokenizer.to_json().encode()
    served = Tokenizer(Path("tokenizer.json"), content, tokenizer.vocabulary_size)
    assert served.encode(text) == ids
    assert served.decode(ids) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=LONGEST_WORD))
def test_shorter_words_are_those_of_gpt_2(text: str) -> None:
    """The cut changes nothing else."""
    before = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert before.pre_tokenize_str(text) == (built("").backend.pre_tokenizer.pre_tokenize_str(text))


def test_cuts_are_said() -> None:
    """With their share; of ordinary texts nothing is said."""
    found = printed(WITHOUT_SPACES["dna"])
    assert documented("words of more than 64 characters") in found
    assert "100% of the text" in found
    assert printed("an ordinary text, " * 1_000) == ""


@pytest.mark.parametrize("kind", ["dna", "base64", "chinese", "one letter"])
def test_words_of_a_text_without_spaces(kind: str) -> None:
    """It is said that there are none."""
    words = TokenizerConfig(kind="word")
    found = printed(WITHOUT_SPACES[kind], config=words)
    assert documented("which are hardly ever seen again") in found
    assert printed("an ordinary text, " * 1_000, config=words) == ""


@pytest.mark.parametrize("bound", ["_MOST_CHUNKS", "_MOST_BYTES"])
def test_long_texts_are_sampled(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From all over them, the same each time; and it is said."""
    monkeypatch.setattr(module, "_CHUNK_CHARACTERS", 100)
    monkeypatch.setattr(module, bound, 8 if bound == "_MOST_CHUNKS" else 500)
    text = "".join(f"{n:04d} " for n in range(1_000))
    found = printed(text)
    assert documented("learned from a sample of") in found
    assert "of 5,000 characters" in found
    sampled = int(re.findall(r"sample of ([\d,]+)", found)[0].replace(",", ""))
    assert 400 <= sampled <= 1_000
    assert built(text).to_json() == built(text).to_json()


@given(st.lists(st.text("ab \n", max_size=60)), st.integers(1, 20))
def test_chunks_are_the_text(texts: list[str], length: int) -> None:
    """Nothing is lost between them, however long a text is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK_CHARACTERS", length)
        chunks = list(module._chunks(texts))
    assert "".join(part for chunk in chunks for part in chunk) == "".join(texts)
    assert all(len(part) <= length for chunk in chunks for part in chunk)


@given(st.lists(st.text(max_size=20)))
def test_characters_are_counted(texts: list[str]) -> None:
    """As a `Counter` counts them."""
    assert count_characters(texts) == Counter("".join(texts))


def test_the_split_is_in_the_artefact() -> None:
    """Whatever reads `tokenizer.json` cuts alike."""
    assert f"{{1,{LONGEST_WORD}}}" in built("abc").to_json()
