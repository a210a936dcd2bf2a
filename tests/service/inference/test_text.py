from hypothesis import given
from hypothesis import strategies as st

from service.inference.text import TextAssembler

# Ids 0..5 are a to f with many repeats in two-letter tokens; 8 and 9 have no text by themselves.
_TEXTS = ["a", "b", "ab", "ba", "aab", "c", "abc", "bb", "", ""]


class _Decoder:
    def push(self, token_id):
        return _TEXTS[token_id]


_tokens = st.lists(st.integers(0, 9), max_size=25)
_stops = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


def _cut(text, stops):
    """Where the stop string that completes first begins, by looking at every beginning."""
    for end in range(1, len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return min(starts)
    return None


def _run(tokens, stops, sizes):
    """Pieces of a run in chunks of these sizes, then the rest at once."""
    assembler = TextAssembler(_Decoder(), stops)
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
