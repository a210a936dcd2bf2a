"""Whose a key is."""

import contextlib
import hashlib
import hmac

import pytest

from service.access import ring as ring_module
from service.access.errors import KeyRefused
from service.access.keys import Key, digest_of
from service.access.limits import Limits
from service.access.ring import KeyRing


def _key(name: str, key: bytes, **limits: int) -> Key:
    return Key(name, digest_of(key), limits=Limits(**limits))


def test_only_keys_that_are_here_are_found():
    """Nothing like them is."""
    ring = KeyRing([_key("a", b"one"), _key("b", b"two")])

    assert ["a", "b"] == [ring.find(key).name for key in (b"one", b"two")]
    for wrong in (b"", b"One", b"one ", b"on", digest_of(b"one"), digest_of(b"one").hex().encode()):
        with pytest.raises(KeyRefused):
            ring.find(wrong)


def test_keys_of_a_name_share_what_they_may_ask_for_and_changes_keep_it():
    """Also when one takes the place of another, whose key is refused from then on."""
    ring = KeyRing([_key("a", b"old", requests_per_minute=2)])
    before = ring.find(b"old").allowance
    ring.replace([_key("a", b"new", requests_per_minute=3), _key("b", b"other")])

    assert before is ring.find(b"new").allowance
    assert Limits(requests_per_minute=3) == before.limits
    assert before is not ring.find(b"other").allowance
    with pytest.raises(KeyRefused):
        ring.find(b"old")


def test_the_work_for_a_wrong_key_does_not_grow(monkeypatch):
    """With the number of keys, with its likeness to one of them, or with its length."""
    compared: list[tuple[bytes, bytes]] = []
    hashed: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    def digest(key: bytes) -> bytes:
        hashed.append(len(key))
        return hashlib.sha256(key).digest()

    ring = KeyRing([_key(f"n{n}", b"key %d" % n) for n in range(1_000)])
    monkeypatch.setattr(ring_module, "compare_digest", compare)
    monkeypatch.setattr(ring_module, "digest_of", digest)
    for key in (b"key 5", b"key 5!", b"x", b"y" * 256):
        with contextlib.suppress(KeyRefused):
            ring.find(key)
    assert [5, 6, 1, 256] == hashed
    assert 4 == len(compared), "one comparison of 32 bytes each, found or not"
    assert {(32, 32)} == {(len(one), len(other)) for one, other in compared}

    with pytest.raises(KeyRefused):
        ring.find(b"z" * 60_000)
    assert 4 == len(hashed)


def test_places_of_keys_are_a_secret_of_the_process():
    """Nobody can choose keys whose look-up would tell, by its time, of those that are here."""
    key = _key("a", b"one")

    assert KeyRing([key])._place(key.digest) != KeyRing([key])._place(key.digest)
