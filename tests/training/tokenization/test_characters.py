"""Characters to ids and back, as the library and the service read the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.decoders import DecodeStream

from service.artifacts.cleaning import Cleaning
from service.artifacts.tokenizer import Tokenizer
from training.config.text import CleaningConfig, TokenizerConfig
from training.corpora.cleaning import recorded
from training.errors import CheckpointError, CorpusError
from training.tokenization.build import build_tokenizer
from training.tokenization.tokenizer import TextTokenizer

TEXT = "Sail, the wind!\r\n\t春眠不觉曉 \u00e9e\u0301 👩\u200d🚀 <unk> \u3000\x00\n"


def characters(*texts: str, **options: int) -> TextTokenizer:
    """Made of these."""
    return build_tokenizer(TokenizerConfig.model_validate(options), texts, has_items=False)


@given(st.text(alphabet=sorted(set(TEXT))))
def test_known_text_survives_the_round_trip(text: str) -> None:
    """Every code point is one id, newlines, Chinese, emoji and combining marks included."""
    tokenizer = characters(TEXT)
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids.tolist()) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_the_fast_way_is_the_librarys(text: str) -> None:
    """Whatever the text, known and unknown."""
    tokenizer = characters(TEXT)
    assert tokenizer.encode(text).tolist() == tokenizer.backend.encode(text).ids


def test_unseen_characters_read_as_unknown() -> None:
    """The same id for all of them, whatever they are."""
    tokenizer = characters("abc\n")
    unknown = tokenizer.special_ids.unknown
    ids = tokenizer.encode("a?b漢👩").tolist()
    assert [id_ == unknown for id_ in ids] == [False, True, False, True, True]
    assert tokenizer.decode(ids) == "a<unk>b<unk><unk>"


def test_the_sign_for_unknown_is_no_special_text() -> None:
    """Whoever types <unk> gets five characters, not a way to the id."""
    tokenizer = characters("abc <unk>\n")
    ids = tokenizer.encode("<unk>").tolist()
    assert len(ids) == 5
    assert tokenizer.special_ids.unknown not in ids


def test_rare_characters_can_be_left_out() -> None:
    """By number or by rank; equals by code point."""
    text = "aaaa bbb cc d\n"
    assert characters(text, min_count=3).decode([1, 2, 3]) == " ab"
    assert characters(text, max_size=3).decode([1, 2]) == " a"
    assert characters(text, max_size=3).vocabulary_size == 3


def test_streamed_decoding_gives_the_same_text() -> None:
    """What the service does, one id at a time."""
    tokenizer = characters(TEXT)
    stream = DecodeStream(skip_special_tokens=True)
    pieces = [stream.step(tokenizer.backend, int(id_)) for id_ in tokenizer.encode(TEXT)]
    assert pieces == list(TEXT)


def test_service_reads_the_same_ids(tmp_path: Path) -> None:
    """One file, two packages."""
    tokenizer = characters(TEXT)
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    served = Tokenizer(path, path.read_bytes(), tokenizer.vocabulary_size)
    assert served.encode(TEXT + "unseen: Ω") == tokenizer.encode(TEXT + "unseen: Ω").tolist()
    assert served.decode(served.encode(TEXT)) == TEXT
    assert served.max_characters_per_token == 1


def test_prompts_are_cleaned_as_the_text_was(tmp_path: Path) -> None:
    """While training, and when served."""
    cleaning = recorded(CleaningConfig(unicode="NFKC", lowercase=True))
    tokenizer = build_tokenizer(TokenizerConfig(), ["fin é\n"], has_items=False, cleaning=cleaning)
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    served = Tokenizer(path, path.read_bytes(), tokenizer.vocabulary_size, cleaning)
    prompt = "\ufeffﬁN E\u0301\r\n\r"
    for ids in (served.encode(served.clean(prompt)), tokenizer.prompt_ids(prompt).tolist()):
        assert served.decode(ids) == "fin é\n\n"


def test_empty_text_has_no_ids() -> None:
    """And still the right type."""
    ids = characters("ab").encode("")
    assert (ids.shape, ids.dtype.name) == ((0,), "int64")
    with pytest.raises(CorpusError, match="holds nothing to make tokens of"):
        characters("")


def test_start_is_the_newline_or_some_character() -> None:
    """What an empty prompt begins after."""
    for text, start in (("to be\nor not", "\n"), ("春眠不觉曉", "不")):
        tokenizer = characters(text)
        assert tokenizer.decode([tokenizer.special_ids.start]) == start


def test_json_round_trip() -> None:
    """As it happens in a checkpoint."""
    tokenizer = characters(TEXT)
    again = TextTokenizer.from_json(tokenizer.to_json(), tokenizer.special_ids, Cleaning())
    assert again.to_json() == tokenizer.to_json()
    np.testing.assert_array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


@pytest.mark.parametrize("broken", ["{", '{"version": "1.0"}'])
def test_broken_json_is_refused(broken: str) -> None:
    """The library raises bare exceptions; we do not."""
    with pytest.raises(CheckpointError, match="tokenizer cannot be read"):
        TextTokenizer.from_json(broken, characters("ab").special_ids, Cleaning())
