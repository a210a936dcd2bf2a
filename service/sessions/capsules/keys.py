"""The keys that capsules are sealed with: `ID:KEY`, several, the first one seals."""

from __future__ import annotations

import base64
import binascii
import re

_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_KEY_BYTES = 32


class KeysUnreadable(ValueError):
    """The text is no list of keys; the message says where, and never what a key is."""


def parse_keys(text: str) -> dict[str, bytes]:
    """Keys by their ids, in the order of the text; none of an empty one.

    Args:
        text: `ID:KEY`, between commas or white space; the key is 32 bytes in base64url or base64.

    Raises:
        KeysUnreadable: One of them is no key, or an id is there twice.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, re.split(r"[\s,]+", text)), 1):
        key_id, _, encoded = entry.partition(":")
        if not _ID.fullmatch(key_id) or not encoded:
            raise KeysUnreadable(
                f"key {number} is not ID:KEY with an ID of 1 to 32 letters, digits, '.', '_', '-'"
            )
        if key_id in keys:
            raise KeysUnreadable(f"key {number} has the ID of an earlier one")
        keys[key_id] = _decoded(encoded, number)
    return keys


def _decoded(encoded: str, number: int) -> bytes:
    plain = encoded.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise KeysUnreadable(f"key {number} is not 32 bytes in base64")
    return key
