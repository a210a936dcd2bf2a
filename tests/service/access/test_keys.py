"""Keys as they are written down."""

import hashlib

import pytest

from service.access.keys import Key, KeysInvalid, digest_of, entry_of, new_key, parse_keys
from service.access.limits import Limits

A, B = ("a" * 64, "b" * 64)


def test_entries_stand_between_commas_or_on_lines():
    """With comments, and options in any order."""
    keys = parse_keys(
        f"alice:{A}:streams=3:admin,\n# of the cluster: x:y\nbob.2:{B}:requests=5:tokens=70 # new\n"
    )

    assert [
        Key("alice", bytes.fromhex(A), frozenset({"admin"}), Limits(streams=3)),
        Key("bob.2", bytes.fromhex(B), frozenset({"text"}), Limits(5, 70)),
    ] == keys
    assert [] == parse_keys(" \n# nothing\n")


def test_two_keys_of_one_name_are_a_change_of_keys():
    """They share their limits."""
    assert ["a", "a"] == [key.name for key in parse_keys(f"a:{A}:tokens=5 a:{B}:tokens=5:metrics")]
    with pytest.raises(KeysInvalid, match=r"key 2 \(a\) has other limits"):
        parse_keys(f"a:{A}:tokens=5 a:{B}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f":{A}", "key 1 has no NAME"),
        (f"{'n' * 33}:{A}", "key 1 has no NAME"),
        (f"ok:{A},né:{B}", "key 2 has no NAME"),
        ("my-secret", "key 1 has no NAME"),
        ("x:my-secret", r"key 1 \(x\) has no SHA-256"),
        (f"x:{A.upper()}", r"key 1 \(x\) has no SHA-256"),
        (f"x:{A}:tokens=0", "has an option that is none"),
        (f"x:{A}:tokens=1:tokens=2", "or is there twice"),
        (f"x:{A}:tokens_per_minute=1", "has an option that is none"),
        (f"x:{A}:streams", "has an option that is none"),
        (f"x:{A}:", "has an option that is none"),
        (f"x:{A} y:{A}", r"key 2 \(y\) is there twice"),
    ],
)
def test_what_is_no_entry_is_said_by_number_and_name(text: str, message: str):
    """Never what stands where the hash should be: it may be the key."""
    with pytest.raises(KeysInvalid, match=message) as refused:
        parse_keys(text)

    assert "my-secret" not in str(refused.value)
    assert A not in str(refused.value).lower()


def test_a_new_key_has_256_bits_and_fits_its_entry():
    """No two are the same."""
    key = new_key()
    [entry] = parse_keys(entry_of("me", key, ["streams=2"]))

    assert (69, "lstm-") == (len(key), key[:5])
    assert hashlib.sha256(key.encode()).digest() == entry.digest == digest_of(key.encode())
    assert 100 == len({new_key() for _ in range(100)})
    with pytest.raises(KeysInvalid, match="a name is 1 to 32"):
        entry_of("me:you", key)
