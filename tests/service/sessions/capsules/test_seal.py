"""Capsules as bytes: what is sealed comes out, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sessions.capsules.errors import CapsuleExpired, CapsuleInvalid
from service.sessions.capsules.keys import KeysUnreadable, parse_keys
from service.sessions.capsules.seal import (
    Content,
    from_text,
    read_header,
    seal,
    to_text,
    unseal,
)

KEY = bytes(range(32))
KEYS = {"new": bytes(32), "old": KEY}
CONTENT = Content("tiny@1", b"f" * 32, 7, b"row" * 20)
CAPSULE = seal(CONTENT, "old", KEY, now_s=1000, ttl_s=60)


@given(
    content=st.builds(
        Content,
        model=st.text(st.characters(codec="utf-8"), max_size=20),
        fingerprint=st.binary(min_size=32, max_size=32),
        seed=st.integers(0, 2**63 - 1),
        row=st.binary(max_size=200),
    )
)
def test_what_is_sealed_comes_out(content: Content):
    """By any of the keys, as bytes and as text, and never twice as the same bytes."""
    capsule = seal(content, "old", KEY, now_s=1000, ttl_s=60)

    assert content == unseal(from_text(to_text(capsule)), KEYS, now_s=1059)
    assert capsule != seal(content, "old", KEY, now_s=1000, ttl_s=60)


@given(place=st.integers(0, 8 * len(CAPSULE) - 1))
def test_a_flipped_bit_is_refused(place: int):
    """Wherever it is: in the header, in the content, in the tag."""
    damaged = bytearray(CAPSULE)
    damaged[place // 8] ^= 1 << place % 8

    with pytest.raises(CapsuleInvalid):
        unseal(bytes(damaged), KEYS, now_s=1001)


@given(length=st.integers(0, len(CAPSULE) - 1))
def test_a_part_is_refused(length: int):
    """However much of it is there; and so is more than all of it."""
    for capsule in (CAPSULE[:length], CAPSULE + CAPSULE[: length + 1]):
        with pytest.raises(CapsuleInvalid):
            unseal(capsule, KEYS, now_s=1001)


@given(tail=st.binary(max_size=300), begins=st.integers(0, 60))
def test_any_bytes_are_refused(tail: bytes, begins: int):
    """Also those that begin like a capsule."""
    if (made := CAPSULE[:begins] + tail) != CAPSULE:
        with pytest.raises(CapsuleInvalid):
            unseal(made, KEYS, now_s=1001)


@given(text=st.text(max_size=100))
def test_any_text_is_refused_or_is_the_text_of_its_bytes(text: str):
    """There is one spelling of a capsule."""
    try:
        capsule = from_text(text)
    except CapsuleInvalid:
        return
    assert text == to_text(capsule)


@pytest.mark.parametrize("num_changed", [1, 40])
def test_what_is_not_authentic_is_told_no_more(num_changed: int):
    """An expired forgery is a forgery."""
    forged = CAPSULE[:-num_changed] + bytes(byte ^ 1 for byte in CAPSULE[-num_changed:])

    for now_s in (1001, 9999):
        with pytest.raises(CapsuleInvalid, match=r"^the capsule is not authentic$"):
            unseal(forged, KEYS, now_s=now_s)


def test_a_capsule_expires():
    """At the second that its header says, and not before."""
    assert CONTENT == unseal(CAPSULE, KEYS, now_s=1059.9)
    with pytest.raises(CapsuleExpired):
        unseal(CAPSULE, KEYS, now_s=1060)


def test_a_foreign_key_is_refused():
    """One that has another id, and another one of the same id."""
    with pytest.raises(CapsuleInvalid, match="a key that is not known here"):
        unseal(CAPSULE, {"new": KEY}, now_s=1001)
    with pytest.raises(CapsuleInvalid, match="is not authentic"):
        unseal(CAPSULE, {"old": bytes(32)}, now_s=1001)


def test_a_header_can_be_read_without_a_key():
    """Key id and times."""
    header = read_header(CAPSULE)

    assert (1, "old", 1000, 1060) == (
        header.layout,
        header.key_id,
        header.issued_s,
        header.expires_s,
    )


def test_keys_are_read_in_their_order():
    """By commas or lines, in either kind of base64, padded or not."""
    text = "b:" + "/" * 42 + "8=, a:" + "_" * 42 + "8\n"

    assert [("b", b"\xff" * 32), ("a", b"\xff" * 32)] == [*parse_keys(text).items()]
    assert {} == parse_keys(" \n")


@pytest.mark.parametrize(
    "entry", ["secretsecret", "a:secret", ":secret", "a b:secret", "a:" + "A" * 44, "ä:secret"]
)
def test_a_key_that_is_none_is_not_shown(entry: str):
    """The message says which one it is."""
    with pytest.raises(KeysUnreadable, match="key 2 ") as caught:
        parse_keys("ok:" + "A" * 43 + "," + entry)

    assert "secret" not in str(caught.value)
    assert "AAAA" not in str(caught.value)
