"""The program that makes automata of patterns, called in this process."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.patterns.compiling import BARRED, COMPLETE, Refused, TooLarge, compiled
from service.patterns.pattern import JSON_OBJECT

CHARACTERS = [chr(n) for n in range(0x20, 0x7F)] + ["\n", "é", "中", "文"]
PAIRS = [*CHARACTERS, "ab", "the", "a,", "12", '":', "ab"]
BYTES = [bytes([n]).decode("latin-1") for n in range(256)]


def _latin(tokens: list[str]) -> list[str | None]:
    return [token.encode().decode("latin-1") for token in tokens]


VOCABULARIES: dict[str, list[str | None]] = {
    "characters": _latin(CHARACTERS),
    "pairs": _latin(PAIRS),
    "bytes": [*BYTES],
}


def _compiled(pattern: str, tokens: list[str | None], **more: Any) -> dict[str, Any]:
    question = {"kind": "regex", "first": tokens, "rest": tokens, "end": None, "max_cells": 1 << 18}
    return compiled({**question, "pattern": pattern, **more})


def _walked(answer: dict[str, Any], first: list[str | None], rest: list[str | None], seed: int):
    """A text that the automaton lets be, drawn evenly; None if it goes on for too long."""
    drawn, state, text = random.Random(seed), 0, b""
    for n in range(200):
        row = [answer["next"][state][c] for c in answer["classes"]]
        token = drawn.choice([t for t, after in enumerate(row) if after != BARRED])
        text += ((rest if n else first)[token] or "").encode("latin-1")
        state = row[token]
        if state == COMPLETE:
            return text.decode()
    return None


REGEXES = [
    "a|ab",
    "(a|ab)(c|bcd)",
    "a*?b?c",
    "(yes|no|never), my (lord|lady)[.!]",
    "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
    "(?i)romeo",
    ".{5}",
    "[^a]{2,4}\n",
    "[A-Za-z]{3}\\s[0-9]",
    "(ab|the)+ 12",
    "é(中|文){2}",
    "[a-z]{2}|[A-Z]{3,5}",
]


@pytest.mark.parametrize("vocabulary", sorted(VOCABULARIES))
@pytest.mark.parametrize("regex", REGEXES)
def test_every_text_matches(regex: str, vocabulary: str):
    """From its first character to its last, whatever is drawn; and all ends are ends."""
    tokens = VOCABULARIES[vocabulary]
    answer = _compiled(regex, tokens)

    texts = [_walked(answer, tokens, tokens, seed) for seed in range(30)]

    assert any(texts)
    assert [] == [text for text in texts if text is not None and not re.fullmatch(regex, text)]


_pieces = st.recursive(
    st.sampled_from(["a", "b", "ab", "[ab]", "[^a\n]", "c{1,2}", "d?"]),
    lambda inner: (
        st.builds("({}|{})".format, inner, inner)
        | st.builds("({}{})".format, inner, inner)
        | st.builds("({})?".format, inner)
        | st.builds("({}){{1,3}}".format, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(regex=_pieces, text=st.text("abcd", max_size=6), seed=st.integers(0, 99))
def test_the_automaton_is_the_expression(regex: str, text: str, seed: int):
    """It lets a text be if and only if Python says that it matches."""
    tokens = _latin(["a", "b", "c", "d", "ab"])
    end = len(tokens)
    try:
        answer = _compiled(regex, [*tokens, None], end=end)
    except Refused:  # of a pattern of no character
        assert re.fullmatch(regex, "")
        return

    state = 0
    for character in text:
        if state >= 0:
            state = answer["next"][state][answer["classes"]["abcd".index(character)]]
        else:  # nothing may follow what is complete
            state = BARRED
    is_match = state == COMPLETE or (
        state >= 0 and answer["next"][state][answer["classes"][end]] == COMPLETE
    )
    assert bool(re.fullmatch(regex, text)) == is_match
    walked = _walked(answer, [*tokens, ""], [*tokens, ""], seed)

    assert walked is not None
    assert re.fullmatch(regex, walked)


def test_texts_end_where_they_may():
    """With the sign for the end, if the model has one; else only where nothing can follow."""
    tokens = _latin(["a", "b"])
    with_end = _compiled("ab?", [*tokens, None], end=2)
    without = _compiled("ab?", tokens)

    def next_of(answer: dict[str, Any], state: int) -> list[int]:
        return [answer["next"][state][c] for c in answer["classes"]]

    assert [1, BARRED, BARRED] == next_of(with_end, 0)
    assert [BARRED, COMPLETE, COMPLETE] == next_of(with_end, 1)
    assert [BARRED, COMPLETE] == next_of(without, 1)


def test_the_first_token_may_stand_for_something_else():
    """Words have no space before the first one."""
    first, rest = _latin(["to", "be"]), _latin([" to", " be"])
    answer = compiled(
        {
            "kind": "regex",
            "pattern": "(to|be)( to| be){2}",
            "first": first,
            "rest": rest,
            "end": None,
            "max_cells": 99,
        }
    )

    assert re.fullmatch("(to|be)( to| be){2}", _walked(answer, first, rest, 1) or "")


def test_ways_without_an_end_are_left_out():
    """What leads only to what the model cannot write is barred at its beginning."""
    answer = _compiled("(a|b)x|ac", _latin(["a", "b", "c"]))

    assert [1, BARRED, BARRED] == [answer["next"][0][c] for c in answer["classes"]]


@pytest.mark.parametrize(
    "regex", ["(", "a)|(b", "a{2", "[", "a\\b", "(?=a)a", "(a)\\1", "é", "x", "", "\xff"]
)
def test_what_cannot_be_had_is_refused(regex: str):
    """What is no expression, what is none of these, and what has characters of others."""
    with pytest.raises(Refused):
        _compiled(regex, _latin(["a", "b"]))


def test_a_large_automaton_is_refused():
    """By the cells of its table."""
    with pytest.raises(TooLarge, match="states"):
        _compiled("[ab]{500}", _latin(["a", "b"]), max_cells=900)


@pytest.mark.parametrize("vocabulary", ["characters", "bytes"])
def test_json_fits_its_schema(vocabulary: str):
    """And is JSON."""
    tokens = VOCABULARIES[vocabulary]
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "king": {"type": "boolean"},
            "of": {"enum": ["Naples", "Na"]},
        },
        "required": ["name", "king", "of"],
    }
    answer = _compiled(json.dumps(schema), tokens, kind="json_schema")

    for seed in range(20):
        text = _walked(answer, tokens, tokens, seed)
        assert text is not None
        found = json.loads(text)
        assert ["name", "king", "of"] == list(found)
        assert len(found["name"]) <= 5
        assert found["of"] in ("Naples", "Na")


def test_any_json_object():
    """Of scalars, and of objects and lists of them."""
    tokens = VOCABULARIES["characters"]
    answer = _compiled(JSON_OBJECT, tokens)
    texts = [_walked(answer, tokens, tokens, seed) for seed in range(400)]

    found = [json.loads(text) for text in texts if text is not None]
    assert len(found) > 5
    assert {dict} == {type(each) for each in found}


@pytest.mark.parametrize(
    "schema",
    [
        '{"type":"foo"}',
        '{"not":{}}',
        '{"$ref":"#"}',
        '{"type":"integer","minimum":3}',
        '{"type":"array","items":{"type":"string","format":"hostname"}}',
        '{"anyOf":[{"type":"null"},{"type":"object","patternProperties":{"a":{}}}]}',
        '{"properties":{"not":{"multipleOf":2}}}',
        '{"items":' * 1000 + "{}" + "}" * 1000,
        "[]",
        '{"properties":3}',
    ],
)
def test_a_schema_that_is_none_is_refused(schema: str):
    """Or that cannot be had."""
    with pytest.raises(Refused):
        _compiled(schema, VOCABULARIES["characters"], kind="json_schema")
