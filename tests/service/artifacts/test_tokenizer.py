from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import decoders, models, pre_tokenizers

from service.artifacts.errors import TokenizerError
from service.artifacts.tokenizer import Tokenizer
from tests import tiny_model

_PATH = Path("tokenizer.json")
_UNKNOWN = tiny_model.VOCABULARY_SIZE - 1


def _characters():
    return Tokenizer(_PATH, tiny_model.tokenizer_json(), tiny_model.VOCABULARY_SIZE)


def _bytes():
    """One token for every byte, so that most characters outside of ASCII are several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = HuggingFaceTokenizer(models.BPE({c: n for n, c in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    return Tokenizer(_PATH, inner.to_str().encode(), 256)


@given(text=st.text(tiny_model.CHARACTERS))
def test_known_characters_come_back(text):
    """Encoding and decoding are inverse; every character is one token."""
    tokenizer = _characters()

    ids = tokenizer.encode(text)

    assert (text, len(text)) == (tokenizer.decode(ids), len(ids))


def test_unknown_characters_have_the_unknown_id():
    """Each of them one; they leave no trace in a text but have a name."""
    tokenizer = _characters()

    ids = tokenizer.encode("aé中🙂Ωb")

    assert [_UNKNOWN, _UNKNOWN] == ids[3:5]
    assert "aé中b" == tokenizer.decode(ids)
    assert ("<unk>", "a") == (tokenizer.token_text(_UNKNOWN), tokenizer.token_text(ids[0]))


def test_the_name_of_a_special_token_is_only_characters():
    """Who types `<unk>` gets no special token: `<` and `>` are unknown, `unk` is text."""
    ids = _characters().encode("a<unk>b")

    assert (7, 2) == (len(ids), ids.count(_UNKNOWN))


@given(text=st.text(max_size=30))
def test_bytes_become_whole_characters_only(text):
    """Token by token no broken character is shown, and nothing is lost."""
    tokenizer = _bytes()
    decoder = tokenizer.incremental()

    pieces = [decoder.push(token_id) for token_id in tokenizer.encode(text)]

    assert text == "".join(pieces)
    assert "" == decoder.finish()


def test_half_a_character_is_held_back():
    """Of the four bytes of an emoji the last one shows it."""
    tokenizer = _bytes()
    decoder = tokenizer.incremental()

    assert ["", "", "", "🙂"] == [decoder.push(n) for n in tokenizer.encode("🙂")]


@pytest.mark.parametrize("size", [2, tiny_model.VOCABULARY_SIZE - 1, 1000])
def test_another_vocabulary_size_is_refused(size):
    """The ids must be exactly those of the manifest."""
    with pytest.raises(TokenizerError, match="ids are not the manifest's"):
        Tokenizer(_PATH, tiny_model.tokenizer_json(), size)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", tiny_model.tokenizer_json()[:-9]])
def test_what_is_no_tokenizer_is_refused(content):
    """With the file and the reason."""
    with pytest.raises(TokenizerError, match="not a tokenizer file") as caught:
        Tokenizer(_PATH, content, tiny_model.VOCABULARY_SIZE)

    assert _PATH == caught.value.path


def test_the_longest_token_bounds_a_prompt():
    """It is how a giant prompt is refused without tokenising it."""
    assert 1 == _characters().max_characters_per_token
