"""API keys: `NAME:SHA256[:OPTION...]`, of which only the hash is ever written down."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from service.access.limits import NO_LIMITS, Limits
from service.entropy import token_hex

SCOPES = ("text", "metrics", "admin")
"""What keys are for; `admin` is for everything."""
MAX_KEY_BYTES = 256
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
_NAME_IS = "1 to 32 letters, digits, '.', '_', '-'"
_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,11}")
_MAX_KEYS = 10_000
_LIMITS = {field.name.replace("_per_minute", ""): field.name for field in fields(Limits)}


class KeysInvalid(ValueError):
    """The text is no list of keys; the message says where, and never what an entry is."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key that is let in.

    Attributes:
        name: Whose it is; several keys may have it, to change from one to the next.
        digest: SHA-256 of the key.
        scopes: What it is for, of `SCOPES`.
        limits: Of its name.
    """

    name: str
    digest: bytes
    scopes: frozenset[str] = frozenset({"text"})
    limits: Limits = NO_LIMITS


def new_key(random_hex: Callable[[int], str] = token_hex) -> str:
    """A key of 256 random bits."""
    return "lstm-" + random_hex(32)


def digest_of(key: bytes) -> bytes:
    """What is kept of a key. Its bits are random: a slow hash is for what people think up."""
    return hashlib.sha256(key).digest()


def entry_of(name: str, key: str, options: Sequence[str] = ()) -> str:
    """The entry of a key for the settings.

    Raises:
        KeysInvalid: The name or an option is none.
    """
    if not _NAME.fullmatch(name):
        raise KeysInvalid(f"a name is {_NAME_IS}")
    entry = ":".join([name, digest_of(key.encode()).hex(), *options])
    parse_keys(entry)
    return entry


def parse_keys(text: str) -> list[Key]:
    """Keys in the order of the text; none of an empty one.

    Args:
        text: `NAME:SHA256[:OPTION...]`, between commas or white space; `#` begins a comment that
            ends with its line. Options are `requests=N`, `tokens=N` (a minute), `streams=N`,
            `admin` and `metrics`.

    Raises:
        KeysInvalid: An entry is no key, a hash is there twice, or keys of one name have different
            limits.
    """
    entries = [entry for line in text.splitlines() for entry in _entries(line)]
    if len(entries) > _MAX_KEYS:
        raise KeysInvalid(f"there are {len(entries)} keys, and no more than {_MAX_KEYS} may be")
    keys = [_parse(entry, number) for number, entry in enumerate(entries, 1)]
    limits: dict[str, Limits] = {}
    digests: set[bytes] = set()
    for number, key in enumerate(keys, 1):
        if key.digest in digests:
            raise KeysInvalid(f"key {number} ({key.name}) is there twice")
        digests.add(key.digest)
        if limits.setdefault(key.name, key.limits) != key.limits:
            raise KeysInvalid(
                f"key {number} ({key.name}) has other limits than an earlier one of its name, and "
                "they share them"
            )
    return keys


def _entries(line: str) -> list[str]:
    return [entry for entry in re.split(r"[\s,]+", line.partition("#")[0]) if entry]


def _parse(entry: str, number: int) -> Key:
    name, colon, rest = entry.partition(":")
    digest, *options = rest.split(":")
    if not colon or not _NAME.fullmatch(name):  # what has no colon may be a key itself
        raise KeysInvalid(f"key {number} has no NAME before a ':', of {_NAME_IS}")
    if not _HASH.fullmatch(digest):
        raise KeysInvalid(
            f"key {number} ({name}) has no SHA-256 in 64 small hexadecimal digits; "
            f"`lstm-serve key new {name}` makes a key and its entry"
        )
    scopes: set[str] = set()
    limits: dict[str, int] = {}
    for option in options:
        what, _, value = option.partition("=")
        if option in SCOPES:
            scopes.add(option)
        elif what in _LIMITS and _NUMBER.fullmatch(value) and _LIMITS[what] not in limits:
            limits[_LIMITS[what]] = int(value)
        else:
            raise KeysInvalid(
                f"key {number} ({name}) has an option that is none, or is there twice: options are "
                f"{', '.join(f'{limit}=N' for limit in _LIMITS)}, {', '.join(SCOPES)}"
            )
    return Key(name, bytes.fromhex(digest), frozenset(scopes or {"text"}), Limits(**limits))
