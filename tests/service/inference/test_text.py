import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.inference.text import TextAssembler
from tests import decoders

# Ids 0..5 are a to f with many repeats in two-letter tokens; 8 and 9 have no text by themselves.
_TEXTS = ["a", "b", "ab", "ba", "aab", "c", "abc", "bb", "", ""]


class _Decoder:
    whole = True
    owed = 0

    def push(self, token_id):
        return _TEXTS[token_id]

    def push_whole(self, _token_ids):
        return None

    def finish(self):
        return ""


_tokens = st.lists(st.integers(0, 9), max_size=25)
_stops = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


def _cut(text, stops):
    """Where the stop string that completes first begins, by looking at every beginning."""
    for end in range(1, len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return min(starts)
    return None


def _run(tokens, stops, sizes, decoder=None):
    """Pieces of a run in chunks of these sizes, then the rest at once."""
    assembler = TextAssembler(decoder or _Decoder(), stops)
    pieces, tokens = [], list(tokens)
    for size in [*sizes, len(tokens)]:
        chunk, tokens = tokens[:size], tokens[size:]
        pieces.append(assembler.push(chunk))
        if pieces[-1].stopped:
            return assembler, pieces
    return assembler, [*pieces, assembler.finish()]


@given(tokens=_tokens, stops=_stops, sizes=st.lists(st.integers(1, 4), max_size=25))
def test_the_text_does_not_depend_on_the_chunks(tokens, stops, sizes):
    """It is the whole text cut at the stop that completes first, and never more on the way."""
    whole = "".join(_TEXTS[n] for n in tokens)
    cut = _cut(whole, stops)
    expected = whole[:cut]

    assembler, pieces = _run(tokens, stops, sizes)

    assert expected == "".join(piece.text for piece in pieces)
    assert (cut is not None) == pieces[-1].stopped
    shown = ""
    for piece in pieces:
        shown += piece.text
        assert expected.startswith(shown)
        released = "".join(_TEXTS[n] for n in tokens[: piece.num_released])
        assert shown.startswith(released)
    released = "".join(_TEXTS[n] for n in tokens[: assembler.num_released])
    assert expected == released + assembler.cut_inside_token
    if cut is None:
        assert len(tokens) == assembler.num_released == assembler.num_tokens


@given(tokens=_tokens, stops=_stops)
def test_the_tokens_taken_do_not_depend_on_the_chunks(tokens, stops):
    """Tokens after the one that completes a stop string are never counted."""
    one, _ = _run(tokens, stops, [1] * len(tokens))
    all_at_once, _ = _run(tokens, stops, [])

    assert (one.num_tokens, one.num_released) == (all_at_once.num_tokens, all_at_once.num_released)


def test_what_may_become_a_stop_is_held_back_until_it_cannot():
    """And shown then."""
    assembler = TextAssembler(_Decoder(), ["abc"])

    shown = [assembler.push([token]).text for token in (0, 0, 1, 1)]

    assert ["", "a", "", "abb"] == shown
    assert "" == assembler.finish().text


@pytest.mark.parametrize("kind", decoders.ALL)
@given(data=st.data())
def test_text_and_tokens_correspond(kind, data):
    """Wherever a stop string cuts: what is shown is the released tokens' text and the cut."""
    tokenizer = decoders.tokenizer(kind)
    last = tokenizer.vocabulary_size - 1
    number = st.one_of(st.integers(0, last), st.integers(max(0, last - 24), last))
    tokens = data.draw(st.lists(number, max_size=16))
    stop = st.text(st.sampled_from("ab \n�中"), min_size=1, max_size=3)
    stops = data.draw(st.lists(stop, max_size=2))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=16))
    whole = tokenizer.decode(tokens)
    cut = _cut(whole, stops)

    assembler, pieces = _run(tokens, stops, sizes, tokenizer.incremental())

    shown = "".join(piece.text for piece in pieces)
    assert whole[:cut] == shown
    assert (cut is not None) == pieces[-1].stopped
    released = tokens[: assembler.num_released]
    assert tokenizer.decode(released) + assembler.cut_inside_token == shown
    if cut is None:
        assert len(tokens) == assembler.num_released == assembler.num_tokens


def _bytes(data):
    return [decoders.hugging_face("byte level").token_to_id(sign) for sign in decoders.signs(data)]


def test_half_a_character_at_the_end_is_shown_at_the_end():
    """As U+FFFD, and its tokens are released then."""
    assembler = TextAssembler(decoders.tokenizer("byte level").incremental(), [])

    piece, last = assembler.push(_bytes(b"a\xe4\xb8")), assembler.finish()

    assert ("a", 1) == (piece.text, piece.num_released)
    assert ("�", 3) == (last.text, last.num_released)
    assert "" == assembler.cut_inside_token


def test_half_a_character_at_the_end_can_complete_a_stop():
    """The text ends before it, like before any other."""
    assembler = TextAssembler(decoders.tokenizer("byte level").incremental(), ["b�"])

    piece, last = assembler.push(_bytes(b"ab\xe4\xb8")), assembler.finish()

    assert ("a", False) == (piece.text, piece.stopped)
    assert ("", True, 1) == (last.text, last.stopped, last.num_released)


def test_a_cut_after_a_broken_character_is_after_its_tokens():
    """They are not those that U+FFFD itself is written with."""
    assembler = TextAssembler(decoders.tokenizer("byte level").incremental(), ["b"])

    piece = assembler.push(_bytes(b"a\xe4\xb8b"))

    assert ("a�", True, 3) == (piece.text, piece.stopped, piece.num_released)
    assert (4, "") == (assembler.num_tokens, assembler.cut_inside_token)


@pytest.mark.parametrize("size", [1, 16, 200_000])
@pytest.mark.parametrize(
    "unit", [b"\xe4", b"\x80", b"\xf0\x9f", b"a", "🙂".encode(), b"\xb8\xad\xe4"]
)
def test_two_hundred_thousand_tokens_take_linear_time(unit, size):
    """Whatever is pending, and if stops begin everywhere; quadratic time would be minutes."""
    kind = "byte level"
    name = decoders.hugging_face(kind).token_to_id(decoders.signs(unit))
    tokens = ([name] if name is not None else _bytes(unit)) * (200_000 // len(unit))
    text = decoders.tokenizer(kind).decode(tokens)
    stops = [text[:63] + chr(0x100 + n) for n in range(16)]
    assembler = TextAssembler(decoders.tokenizer(kind).incremental(), stops)

    chunks = (tokens[start : start + size] for start in range(0, len(tokens), size))
    shown = [*(assembler.push(chunk).text for chunk in chunks), assembler.finish().text]

    assert text == "".join(shown)
    assert len(tokens) == assembler.num_tokens == assembler.num_released
