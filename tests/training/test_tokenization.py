"""Characters to ids and back, as the library and the service read the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.decoders import DecodeStream

from service.artifacts.tokenizer import Tokenizer
from training.errors import CheckpointError
from training.tokenization import CharacterTokenizer

TEXT = "Sail, the wind!\r\n\t春眠不觉曉 \u00e9e\u0301 👩\u200d🚀 <unk> \u3000\x00\n"


@given(st.text(alphabet=sorted(set(TEXT))))
def test_known_text_survives_the_round_trip(text: str) -> None:
    """Every code point is one id, newlines, Chinese, emoji and combining marks included."""
    tokenizer = CharacterTokenizer.from_text(TEXT)
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids.tolist()) == text


def test_unseen_characters_read_as_unknown() -> None:
    """The same id for all of them, whatever they are."""
    tokenizer = CharacterTokenizer.from_text("abc\n")
    ids = tokenizer.encode("a?b漢👩").tolist()
    assert [id_ == tokenizer.unknown_id for id_ in ids] == [False, True, False, True, True]
    assert tokenizer.decode(ids) == "a<unk>b<unk><unk>"


def test_the_sign_for_unknown_is_no_special_text() -> None:
    """Whoever types <unk> gets five characters, not a way to the id."""
    tokenizer = CharacterTokenizer.from_text("abc <unk>\n")
    ids = tokenizer.encode("<unk>").tolist()
    assert len(ids) == 5
    assert tokenizer.unknown_id not in ids


def test_streamed_decoding_gives_the_same_text() -> None:
    """What the service does, one id at a time."""
    tokenizer = CharacterTokenizer.from_text(TEXT)
    stream = DecodeStream(skip_special_tokens=True)
    pieces = [stream.step(tokenizer.backend, int(id_)) for id_ in tokenizer.encode(TEXT)]
    assert pieces == list(TEXT)


def test_service_reads_the_same_ids(tmp_path: Path) -> None:
    """One file, two packages."""
    tokenizer = CharacterTokenizer.from_text(TEXT)
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    served = Tokenizer(path, path.read_bytes(), tokenizer.vocabulary_size)
    assert served.encode(TEXT + "unseen: Ω") == tokenizer.encode(TEXT + "unseen: Ω").tolist()
    assert served.decode(served.encode(TEXT)) == TEXT
    assert served.max_characters_per_token == 1


def test_long_texts_are_encoded_in_pieces() -> None:
    """The pieces meet without a seam."""
    text = "abcdefg" * 160_000
    tokenizer = CharacterTokenizer.from_text("abcdefg")
    assert tokenizer.decode(tokenizer.encode(text)[-20:].tolist()) == text[-20:]
    assert len(tokenizer.encode(text)) == len(text)


def test_empty_text_has_no_ids() -> None:
    """And still the right type."""
    ids = CharacterTokenizer.from_text("ab").encode("")
    assert (ids.shape, ids.dtype.name) == ((0,), "int64")


@pytest.mark.parametrize(("text", "start"), [("to be\nor not", "\n"), ("春眠不觉曉", "春")])
def test_start_is_the_newline_or_the_first_character(text: str, start: str) -> None:
    """What an empty prompt begins after."""
    tokenizer = CharacterTokenizer.from_text(text)
    assert tokenizer.decode([tokenizer.start_id]) == start


def test_json_round_trip() -> None:
    """As it happens in a checkpoint."""
    tokenizer = CharacterTokenizer.from_text(TEXT)
    again = CharacterTokenizer.from_json(tokenizer.to_json(), tokenizer.start_id)
    assert again.to_json() == tokenizer.to_json()
    assert (again.unknown_id, again.start_id) == (tokenizer.unknown_id, tokenizer.start_id)


@pytest.mark.parametrize("broken", ["{", '{"version": "1.0"}'])
def test_broken_json_is_refused(broken: str) -> None:
    """The library raises bare exceptions; we do not."""
    with pytest.raises(CheckpointError, match="tokenizer cannot be read"):
        CharacterTokenizer.from_json(broken, 0)
