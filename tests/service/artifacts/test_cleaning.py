import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.artifacts.cleaning import Cleaner, Cleaning

_ALL = [
    Cleaning(unicode=form, lower_case=lower_case)
    for form in (None, "NFC", "NFKC")
    for lower_case in (False, True)
]
# Line ends, marks, letters of several forms, Hangul in parts, a ligature, dots that change places.
_ODD = st.text(
    st.sampled_from("ab \r\n\ufeffÉe\u0301\u0323İI\u0307Å\u212bﬁ\u1112\u1161\u11ab漢ß\u0130Σ")
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("ROMEO:\r\n", "ROMEO:\n"),
        ("a\rb\r", "a\nb\n"),
        ("\r\n\r\r\n\n\r", "\n\n\n\n\n"),
        ("\ufeffa\n\ufeffb", "a\nb"),
        ("\r\ufeff\n", "\n"),
        ("\ufeff", ""),
        ("É e\u0301 ﬁ\t\v\f\x85\u2028\x00", "É e\u0301 ﬁ\t\v\f\x85\u2028\x00"),
        ("", ""),
    ],
)
def test_every_line_ends_alike_and_marks_are_gone(text, cleaned):
    """Wherever they stand; nothing else is touched."""
    assert cleaned == Cleaner(Cleaning())(text)


@pytest.mark.parametrize(
    ("cleaning", "cleaned"),
    [
        (Cleaning(unicode="NFC"), "ﬁ ROMÉO\n"),
        (Cleaning(unicode="NFKC"), "fi ROMÉO\n"),
        (Cleaning(lower_case=True), "ﬁ rome\u0301o\n"),
        (Cleaning(unicode="NFC", lower_case=True), "ﬁ roméo\n"),
        (Cleaning(simplified_chinese=True), "ﬁ ROME\u0301O\n"),
        (Cleaning(line_ends=None), "ﬁ ROME\u0301O\r\n"),
        (Cleaning(byte_order_marks=None), "\ufeffﬁ ROME\u0301O\n"),
    ],
)
def test_it_does_what_was_done(cleaning, cleaned):
    """And no more."""
    assert cleaned == Cleaner(cleaning)("\ufeffﬁ ROME\u0301O\r\n")


@pytest.mark.parametrize("cleaning", _ALL, ids=str)
@given(text=_ODD)
def test_what_is_clean_stays_as_it_is(cleaning, text):
    """A text that was cleaned for training reads like itself."""
    clean = Cleaner(cleaning)
    assert clean(text) == clean(clean(text))


@pytest.mark.parametrize("cleaning", _ALL, ids=str)
@given(lines=st.lists(_ODD))
def test_pieces_of_whole_lines_change_nothing(cleaning, lines):
    """A corpus is read in pieces, a prompt at once."""
    clean = Cleaner(cleaning)
    pieces = [line + "\n" for line in lines]
    assert clean("".join(pieces)) == "".join(map(clean, pieces))


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=_ODD)
def test_forms_are_those_of_unicode(form, text):
    """As Python's own library makes them."""
    kept = Cleaning(line_ends=None, byte_order_marks=None, unicode=form)
    assert unicodedata.normalize(form, text) == Cleaner(kept)(text)


def test_a_row_of_marks_takes_no_quadratic_time():
    """Python's own normalisation takes some minutes for this one, and holds everybody up."""
    marks = 150_000
    text = Cleaner(Cleaning(unicode="NFC"))("a" + "\u0301" * marks + "\u0323" * marks)
    assert "ạ" + "\u0323" * (marks - 1) + "\u0301" * marks == text


@pytest.mark.parametrize(
    ("config", "cleaning"),
    [
        ({}, Cleaning()),
        ({"corpus": {"name": "names", "format": "text"}}, Cleaning()),
        ({"cleaning": {"lowercase": False, "simplified_chinese": False}}, Cleaning()),
        (
            {"cleaning": {"unicode": "NFKC", "lowercase": True, "simplified_chinese": True}},
            Cleaning(unicode="NFKC", lower_case=True, simplified_chinese=True),
        ),
        ({"corpus": {"format": "jsonl"}}, Cleaning(line_ends=None, byte_order_marks=None)),
        ({"corpus": {"format": "wet"}}, Cleaning(line_ends=None, byte_order_marks=None)),
        ({"corpus": "?", "cleaning": {"unicode": "NFD", "lowercase": 1}}, Cleaning()),
    ],
)
def test_older_models_are_read_from_their_config(config, cleaning):
    """What nobody understands does not stop a model that was served before."""
    assert cleaning == Cleaning.of_older_model(config)
