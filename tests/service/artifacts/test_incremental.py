"""Ids to text, one at a time: just what the library makes of all of them, in linear time."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.artifacts.incremental import PieceDecoder, WindowDecoder
from tests import decoders

# Bytes as lists of ids of a byte-level tokenizer: whole characters, parts, and no parts.
_PARTS = [
    *(text.encode() for text in ("a", "é", "中", "🙂", "�", "\x7f", "\U0010ffff")),
    *(b"\xe4", b"\xe4\xb8", b"\xf0\x9f", b"\xf0\x9f\x99", b"\x80", b"\xc0\xaf", b"\xe0\x80"),
    *(b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xf8\x88\x80\x80\x80", b"\xef\xbf"),
]
_BYTES = st.one_of(
    st.binary(max_size=12), st.lists(st.sampled_from(_PARTS), max_size=6).map(b"".join)
)


def _ids(kind):
    """Any ids; often the same few in a row, for they are what edits and characters depend on."""
    size = decoders.tokenizer(kind).vocabulary_size
    few = st.integers(max(0, size - 24), size - 1)
    return st.lists(
        st.one_of(st.integers(0, size - 1), few, st.integers(0, min(14, size - 1))), max_size=24
    )


def _ids_of_bytes(kind, data):
    """The ids that stand for one byte each."""
    if kind in decoders.BYTE_FALLBACK:
        return [decoders.hugging_face(kind).token_to_id(f"<0x{byte:02X}>") for byte in data]
    return [decoders.hugging_face(kind).token_to_id(sign) for sign in decoders.signs(data)]


def _run(tokenizer, ids):
    """The pieces, the last of them from `finish`."""
    decoder = tokenizer.incremental()
    return [*(decoder.push(token_id) for token_id in ids), decoder.finish()]


@pytest.mark.parametrize("kind", decoders.EXACT)
@given(data=st.data())
def test_the_pieces_are_the_whole_text(kind, data):
    """Whatever the ids are, and that is what the library says."""
    ids = data.draw(_ids(kind))
    whole = decoders.hugging_face(kind).decode(ids, skip_special_tokens=True)

    pieces = _run(decoders.tokenizer(kind), ids)

    assert whole == "".join(pieces) == decoders.tokenizer(kind).decode(ids)


@given(data=_BYTES)
def test_broken_bytes_are_broken_as_in_the_whole_text(data):
    """As many U+FFFD, at the same places; at the end too."""
    ids = _ids_of_bytes("byte level", data)

    pieces = _run(decoders.tokenizer("byte level"), ids)

    whole = decoders.hugging_face("byte level").decode(ids, skip_special_tokens=True)
    assert whole == "".join(pieces)


@pytest.mark.parametrize("kind", decoders.ALL)
@given(data=st.data())
def test_ids_at_once_are_as_one_by_one(kind, data):
    """Or are refused, and nothing has changed."""
    tokenizer = decoders.tokenizer(kind)
    before, at_once, after = (data.draw(_ids(kind)) for _ in range(3))
    one, other = tokenizer.incremental(), tokenizer.incremental()
    for token_id in before:
        assert one.push(token_id) == other.push(token_id)

    text = one.push_whole(at_once)

    if text is not None:
        assert one.whole
        assert text == "".join(other.push(token_id) for token_id in at_once)
        assert other.whole
    for token_id in after:
        assert one.push(token_id) == other.push(token_id)
        assert (one.whole, one.owed) == (other.whole, other.owed)
    assert one.finish() == other.finish()


def test_whole_characters_are_taken_at_once():
    """Tokens of them are most of those that there are."""
    a, b = 1, 2
    decoder = decoders.tokenizer("characters").incremental()
    decoder.push(a)

    assert "bba" == decoder.push_whole([b, b, a])


@pytest.mark.parametrize("kind", decoders.ALL)
@given(data=st.data())
def test_where_it_is_whole_the_text_is_that_of_the_tokens(kind, data):
    """Text and tokens can be cut there; and after what is owed to the tokens before."""
    tokenizer = decoders.tokenizer(kind)
    ids = data.draw(_ids(kind))
    decoder = tokenizer.incremental()
    shown = ""
    for num_ids, token_id in enumerate(ids, start=1):
        text = decoder.push(token_id)
        if decoder.owed:
            assert tokenizer.decode(ids[: num_ids - 1]) == shown + text[: decoder.owed]
        shown += text
        if decoder.whole:
            assert tokenizer.decode(ids[:num_ids]) == shown


@pytest.mark.parametrize("kind", decoders.BYTE_FALLBACK)
@given(data=st.data())
def test_byte_fallback_keeps_what_is_whole(kind, data):
    """A byte of no character is one U+FFFD, and does not break those beside it."""
    tokenizer = decoders.tokenizer(kind)
    ids = data.draw(st.lists(st.one_of(_ids(kind), _BYTES.map(lambda b: _ids_of_bytes(kind, b)))))
    flat = [token_id for part in ids for token_id in part]

    pieces = _run(tokenizer, flat)

    assert "".join(pieces) == tokenizer.decode(flat)
    expected = decoders.hugging_face(kind).decode(_repaired(kind, flat), skip_special_tokens=True)
    assert expected.replace("\ue000", "�") == "".join(pieces)


def _repaired(kind, ids):
    """Bytes that are part of no character, each as one character of private use in bytes."""
    library = decoders.hugging_face(kind)
    numbers = {library.token_to_id(f"<0x{byte:02X}>"): byte for byte in range(256)}
    special = library.token_to_id("<special>")
    repaired: list[int] = []
    for is_byte, run in groupby((n for n in ids if n != special), numbers.__contains__):
        if not is_byte:
            repaired.extend(run)
            continue
        text = bytes(numbers[token_id] for token_id in run).decode(errors="surrogateescape")
        text = "".join("\ue000" if "\ud800" <= c <= "\udfff" else c for c in text)
        repaired.extend(_ids_of_bytes(kind, text.encode()))
    return repaired


@pytest.mark.parametrize("kind", ["byte level", "byte fallback"])
@given(data=_BYTES)
def test_no_more_than_three_bytes_are_held_back(kind, data):
    """What is broken is shown as soon as that is certain: with the byte that does not go on."""
    tokenizer = decoders.tokenizer(kind)
    ids = _ids_of_bytes(kind, data)
    decoder = tokenizer.incremental()
    shown = ""
    for num_ids, token_id in enumerate(ids, start=1):
        shown += decoder.push(token_id)
        whole = tokenizer.decode(ids[:num_ids])
        assert whole.startswith(shown)
        num_held = len(whole) - len(shown)
        assert num_held <= 3
        assert whole.endswith("�" * num_held)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("🙂".encode(), ["", "", "", "🙂", ""]),
        (b"\xf0\x9f\x99a", ["", "", "", "�a", ""]),
        (b"\xe4\xe4\xb8\xad", ["", "�", "", "中", ""]),
        (b"\x80\x80", ["�", "�", ""]),
        (b"a\xe4\xb8", ["a", "", "", "�"]),
        ("�".encode(), ["", "", "�", ""]),
    ],
)
def test_a_broken_character_is_shown_by_what_breaks_it(data, expected):
    """Or by the end of the text."""
    pieces = _run(decoders.tokenizer("byte level"), _ids_of_bytes("byte level", data))

    assert expected == pieces


@pytest.mark.parametrize("kind", ["characters", "metaspace", "suffixes"])
def test_the_replacement_character_can_be_a_token(kind):
    """It is a character like others: not half of one, wherever it stands."""
    library = decoders.hugging_face(kind)
    [token_id] = [n for name, n in library.get_vocab().items() if name.startswith("�")]
    ids = [token_id] * 9

    pieces = _run(decoders.tokenizer(kind), ids)

    assert library.decode(ids) == "".join(pieces)
    assert kind == "suffixes" or pieces == ["�"] * 9 + [""]


def test_a_broken_character_in_bytes_does_not_end_the_text():
    """The library's own stream fails here, for it has shown 中 already."""
    kind = "byte fallback"
    ids = [
        *_ids_of_bytes(kind, "中".encode() + b"\xe4"),
        decoders.hugging_face(kind).token_to_id("b"),
    ]

    assert ["", "", "中", "", "�b", ""] == _run(decoders.tokenizer(kind), ids)


@pytest.mark.parametrize("kind", decoders.ALL)
def test_only_what_depends_on_neighbours_is_decoded_again(kind):
    """All others are looked up."""
    again = {"suffixes", "audio", "expression in the whole"}
    expected = WindowDecoder if kind in again else PieceDecoder

    assert isinstance(decoders.tokenizer(kind).incremental(), expected)


@pytest.mark.parametrize("kind", decoders.ALL)
def test_fifty_thousand_equal_ids_take_linear_time(kind):
    """Quadratic time would be minutes: incomplete, broken, special, or nothing at all."""
    tokenizer = decoders.tokenizer(kind)
    names = decoders.hugging_face(kind).get_vocab()
    wanted = {"ä", "Ń", "<0xE4>", "<0x80>", "<special>", "", "a", "\n", "ab", "�"}
    for name in wanted & set(names):
        decoder = tokenizer.incremental()
        num_characters = sum(len(decoder.push(names[name])) for _ in range(50_000))
        num_characters += len(decoder.finish())

        assert len(tokenizer.decode([names[name]] * 50_000)) == num_characters


def test_a_window_decodes_few_ids_each_time():
    """However many there have been: the work for an id has a bound."""

    class Counting:
        def __init__(self):
            self.most = 0

        def get_added_tokens_decoder(self):
            return {}

        def decode(self, ids, *, skip_special_tokens):
            assert skip_special_tokens
            self.most = max(self.most, len(ids))
            return "�" * len(ids)

    library: Any = Counting()
    decoder = WindowDecoder(library)

    num_characters = sum(len(decoder.push(0)) for _ in range(1_000)) + len(decoder.finish())

    assert num_characters == 1_000
    assert library.most <= 20
