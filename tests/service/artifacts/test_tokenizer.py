from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as HuggingFaceTokenizer

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


@given(text=st.text())
def test_characters_are_looked_up_as_the_library_would(text):
    """Known or not, and also where a special token's name stands."""
    tokenizer = _characters()
    assert tokenizer._id_of_character is not None

    [encoding] = tokenizer._tokenizer.encode_batch([text], add_special_tokens=False)
    assert encoding.ids == tokenizer.encode(text)


def test_who_does_more_to_a_text_than_to_look_up_its_characters_is_left_to_the_library():
    """Words, and capitals that become small."""
    inner = HuggingFaceTokenizer(models.WordLevel({"a": 0, "aa": 1, "<unk>": 2}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert [1] == _from(inner, 3).encode("aa")
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    assert [0, 0] == _from(inner, 3).encode("aa")
    inner.normalizer = normalizers.Lowercase()
    assert [0, 0] == _from(inner, 3).encode("aA")


def test_the_name_of_a_special_token_is_only_characters():
    """Who types `<unk>` gets no special token: `<` and `>` are unknown, `unk` is text."""
    ids = _characters().encode("a<unk>b")

    assert (7, 2) == (len(ids), ids.count(_UNKNOWN))


def _from(inner, size):
    return Tokenizer(_PATH, inner.to_str().encode(), size)


def _words():
    """Words with the space before them."""
    vocabulary = {" <unk>": 0, " to": 1, " be": 2, "\n": 3}
    inner = HuggingFaceTokenizer(models.WordLevel(vocabulary, unk_token=" <unk>"))
    inner.normalizer = normalizers.Prepend(" ")
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n| ?\S+"), "removed", invert=True)
    return _from(inner, 4)


def _dropping():
    """Without a sign for what it has never seen: the library leaves that out."""
    return _from(HuggingFaceTokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])), 3)


def _unigrams():
    """Whose file has no name for the unknown, and one token for a row of it."""
    pieces = [("<unk>", 0.0), ("a", -1.0), ("b", -2.0)]
    inner = HuggingFaceTokenizer(models.Unigram(pieces, unk_id=0))
    return Tokenizer(_PATH, inner.to_str().encode(), 3, unknown_id=0)


@pytest.mark.parametrize(
    ("tokenizer", "text", "num_unknown", "pieces"),
    [
        (_characters, "aé中🙂ΩbΩ", 3, ("🙂", "Ω")),
        (_characters, "a\tb\r", 2, ("\t", "\r")),
        (_characters, "all of it known", 0, ()),
        (_characters, "", 0, ()),
        (_characters, "a<unk>b", 2, ("<", ">")),
        (_words, "to zebra or\n be zebra", 3, ("zebra", "or")),
        (_words, "to " + "x" * 1_000, 1, ("x" * 64,)),
        (_dropping, "ab?a cab?", 4, ("?", " ", "c")),
        (_dropping, "?", 1, ("?",)),
        (_unigrams, "a??éb?", 2, ("??é", "?")),
        (_bytes, "aé中🙂Ω\x00", 0, ()),
    ],
)
def test_what_was_never_seen_is_counted_and_named(tokenizer, text, num_unknown, pieces):
    """Each kind of tokenizer: tokens that stand for it, or characters that are left out."""
    read = tokenizer()

    assert num_unknown == read.count_unknown(text, read.encode(text))
    assert pieces == read.unknown(text, 10)
    assert pieces[:1] == read.unknown(text, 1)


def test_a_tokenizer_that_fails_at_other_characters_is_refused():
    """Or every such prompt would be an error of the server."""
    inner = HuggingFaceTokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="<unk>"))
    with pytest.raises(TokenizerError, match="characters unknown to it"):
        _from(inner, 2)


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
