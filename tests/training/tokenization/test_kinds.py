"""Bytes, words and byte pairs; and items with a beginning and an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.artifacts.tokenizer import Tokenizer
from training.config.text import TokenizerConfig
from training.tokenization import tokenizer as tokenizer_module
from training.tokenization.build import build_tokenizer
from training.tokenization.tokenizer import TextTokenizer

TEXT = "The cat, it's said, sat.\nOn the mat  the cat sat\n\n= A cat =\n"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KINDS = ("character", "byte", "word", "bpe")


def build(kind: str, *texts: str, has_items: bool = False, **options: Any) -> TextTokenizer:
    """Of the texts."""
    config = TokenizerConfig.model_validate({"kind": kind, **options})
    return build_tokenizer(config, texts, has_items=has_items)


def served(tokenizer: TextTokenizer) -> Tokenizer:
    """As the service reads it."""
    content = tokenizer.to_json().encode()
    return Tokenizer(Path("tokenizer.json"), content, tokenizer.vocabulary_size)


@pytest.mark.parametrize("kind", ["byte", "bpe"])
@given(text=ANY_TEXT)
def test_bytes_can_write_everything(kind: str, text: str) -> None:
    """Nothing is unknown, not even what nobody has seen; the service agrees."""
    options: dict[str, Any] = {"vocabulary_size": 270} if kind == "bpe" else {}
    tokenizer = build(kind, TEXT, **options)
    ids = tokenizer.encode(text).tolist()
    assert tokenizer.decode(ids) == text
    assert tokenizer.special_ids.unknown is None
    assert served(tokenizer).encode(text) == ids
    if kind == "byte":
        assert len(ids) == len(text.encode())


@pytest.mark.parametrize("kind", KINDS)
@given(text=ANY_TEXT)
def test_streamed_text_is_whole_text(kind: str, text: str) -> None:
    """One id at a time, never half a character, and nothing of it is lost."""
    tokenizer = build(kind, TEXT)
    ids = tokenizer.encode(text).tolist()
    stream = served(tokenizer).incremental()
    pieces = [stream.push(token) for token in ids]
    assert "".join(pieces) == served(tokenizer).decode(ids)
    assert stream.finish() == ""


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_streamed_tokens_are_whole_text(kind: str, data: st.DataObject) -> None:
    """Also of tokens that are no text: half a character comes at the end, as U+FFFD."""
    options: dict[str, Any] = {"vocabulary_size": 290} if kind == "bpe" else {}
    tokenizer = build(kind, TEXT, "明月 幾時有\ufffd\n" * 2, has_items=True, **options)
    number = st.integers(0, tokenizer.vocabulary_size - 1)
    ids = data.draw(st.lists(number, max_size=40))
    stream = served(tokenizer).incremental()
    pieces = [*(stream.push(token) for token in ids), stream.finish()]
    assert "".join(pieces) == tokenizer.decode(ids) == served(tokenizer).decode(ids)


def test_byte_pairs_grow_to_the_size_that_is_asked_for() -> None:
    """Then a frequent word is one token, and none crosses two words."""
    tokenizer = build("bpe", "the cat sat on the mat " * 50, vocabulary_size=275)
    assert tokenizer.vocabulary_size <= 275
    tokens = [tokenizer.decode([token]) for token in tokenizer.encode("the cat the").tolist()]
    assert tokens[-1] == " the"
    assert all(" " not in token[1:] for token in tokens)


def test_words_take_the_space_along() -> None:
    """At the beginning of a text or of a line they are the same words."""
    tokenizer = build("word", TEXT)
    names = [tokenizer.backend.id_to_token(n) for n in range(tokenizer.vocabulary_size)]
    assert {" The", " cat", ",", " mat", "\n", " =", ".", "'"} <= set(names)
    assert "The" not in names
    again = tokenizer.decode(tokenizer.encode(TEXT).tolist())
    assert again == " The cat, it's said, sat.\nOn the mat the cat sat\n\n= A cat =\n"
    assert tokenizer.decode(tokenizer.encode("cat sat").tolist()) == " cat sat"


def test_marks_of_items_are_the_most_frequent_words() -> None:
    """An adaptive softmax looks at frequent ones in every window: every item has both marks."""
    tokenizer = build("word", "a b c", "a b", "a", has_items=True)
    names = [tokenizer.backend.id_to_token(n) for n in range(tokenizer.vocabulary_size)]
    assert ["<start>", "<end>", " a", " b"] == names[:4]
    ids = tokenizer.special_ids
    assert (0, 1) == (ids.start, ids.end)
    pieces = tokenizer.encode_all(["b a"], are_items=True)
    assert [0, 3, 2, 1] == [int(token) for piece in pieces for token in piece]


def test_words_of_a_text_that_is_split_already() -> None:
    """Penn Treebank and WikiText: what stands between spaces, with their own <unk>."""
    text = " no it was n't <unk> monday \n but no N \n"
    tokenizer = build("word", text * 3 + " no <unk> \n", split_punctuation=False)
    assert tokenizer.vocabulary_size == len({*text.split(), "\n"})
    names = [tokenizer.backend.id_to_token(n) for n in range(tokenizer.vocabulary_size)]
    counts = [(text * 3 + " no <unk> \n").count(str(name)) for name in names]
    assert counts[:3] == [7, 7, 4]
    assert names[2] == " <unk>"
    assert names[tokenizer.special_ids.unknown or 0] == " <unk>"
    ids = tokenizer.encode(" it was <unk> zebra \n").tolist()
    assert ids[2] == ids[3] == tokenizer.special_ids.unknown
    assert names[tokenizer.special_ids.start] == "\n"


def test_rare_words_are_unknown() -> None:
    """By number or by rank; the most frequent come first."""
    text = "a a a a b b b c c d"
    assert build("word", text, min_count=3).vocabulary_size == 3
    tokenizer = build("word", text, max_size=3)
    assert [tokenizer.backend.id_to_token(n) for n in (0, 1, 2)] == [" a", " <unk>", " b"]
    assert build("word", text).encode("a e").tolist() == [0, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_items_have_a_beginning_and_an_end(kind: str) -> None:
    """Which nobody can type, and which leave no trace in a text."""
    items = ["Ada", "Grace\nof two lines", "<end>", ""]
    tokenizer = build(kind, *items, has_items=True)
    ids = tokenizer.special_ids
    assert ids.end is not None
    assert ids.start_before_prompt
    assert ids.never_sampled[-1] == ids.start
    found = [part.tolist() for part in tokenizer.encode_all(items, are_items=True) if len(part)]
    flat = [token for part in found for token in part]
    assert flat.count(ids.start) == flat.count(ids.end) == len(items)
    assert flat[0] == ids.start
    assert flat[-1] == ids.end
    marks = {ids.start, ids.end}
    assert not marks & set(tokenizer.encode("<start> <end>").tolist())
    assert not marks & set(served(tokenizer).encode("<start> <end>"))
    assert served(tokenizer).decode(flat).replace(" ", "") == "".join(items).replace(" ", "")


def test_long_texts_are_cut_where_a_line_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no word is cut."""
    tokenizer = build("word", TEXT)
    wanted = tokenizer.encode(TEXT * 20).tolist()
    monkeypatch.setattr(tokenizer_module, "_PIECE_CHARACTERS", 70)
    assert tokenizer.encode(TEXT * 20).tolist() == wanted
