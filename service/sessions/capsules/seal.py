"""A capsule as bytes: the past of a text, encrypted and authenticated.

All numbers are little-endian.

| bytes     | content                                                                       |
|-----------|-------------------------------------------------------------------------------|
| 8         | magic: `LSTMCAP` and the version of this layout, 1                             |
| 1 + K     | id of the key: its length, and K characters of ASCII                           |
| 8         | issued, Unix seconds, u64                                                     |
| 8         | expires, Unix seconds, u64                                                    |
| 32        | salt, random                                                                  |
| rest      | AES-256-GCM of the content, with its tag of 16 bytes                          |

All that comes before the last line is authenticated with it. The key and the nonce of each capsule
are made of the server's key and the salt (HKDF-SHA256), so that no number of capsules is too many
for one key. The content:

| bytes     | content                                                                       |
|-----------|-------------------------------------------------------------------------------|
| 32        | fingerprint of the artefact                                                   |
| 8         | seed, u64                                                                     |
| 2 + M     | `name@version` of the model: its length, and M bytes of UTF-8                   |
| rest      | the row, of `service/rows/codec.py`; nothing before the first token           |
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from service.sessions.capsules.errors import CapsuleExpired, CapsuleInvalid

_MAGIC = b"LSTMCAP"
_LAYOUT = 1
_START = struct.Struct("<7sBB")
_TIMES = struct.Struct("<QQ32s")
_CONTENT = struct.Struct("<32sQH")
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a capsule.

    Attributes:
        model: `name@version`.
        fingerprint: Of that artefact, 32 bytes.
        seed: What the text goes on with.
        row: Of `encode_row`; empty before the first token.
    """

    model: str
    fingerprint: bytes
    seed: int
    row: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a capsule says without a key.

    Attributes:
        layout: Version of the layout.
        key_id: Of the key that it was sealed with.
        issued_s: Unix time.
        expires_s: Unix time.
        num_bytes: Of the header itself.
    """

    layout: int
    key_id: str
    issued_s: int
    expires_s: int
    num_bytes: int


def seal(content: Content, key_id: str, key: bytes, *, now_s: float, ttl_s: float) -> bytes:
    """A capsule of `content`, sealed with `key`, that lasts for `ttl_s`."""
    from service.sessions.capsules.cipher import encrypted

    salt = os.urandom(32)
    name, now = key_id.encode("ascii"), int(now_s)
    times = _TIMES.pack(now, min(int(now_s + ttl_s), 2**63), salt)
    header = _START.pack(_MAGIC, _LAYOUT, len(name)) + name + times
    model = content.model.encode()
    plain = _CONTENT.pack(content.fingerprint, content.seed, len(model)) + model + content.row
    return header + encrypted(plain, key, salt, header)


def read_header(capsule: bytes) -> Header:
    """What a capsule says without a key; nothing of it is proved.

    Raises:
        CapsuleInvalid: It is none, or of a newer layout.
    """
    if capsule[: len(_MAGIC)] != _MAGIC:
        raise CapsuleInvalid("this is not a capsule")
    if len(capsule) < _START.size:
        raise CapsuleInvalid("the capsule is cut off")
    _, layout, num_characters = _START.unpack_from(capsule)
    if layout != _LAYOUT:
        raise CapsuleInvalid(f"the capsule has layout {layout}; this program reads {_LAYOUT}")
    num_bytes = _START.size + num_characters + _TIMES.size
    if len(capsule) < num_bytes + _CONTENT.size + _TAG_BYTES:
        raise CapsuleInvalid("the capsule is cut off")
    name = capsule[_START.size : _START.size + num_characters]
    issued_s, expires_s, _ = _TIMES.unpack_from(capsule, _START.size + num_characters)
    key_id = name.decode("ascii", "backslashreplace")
    return Header(layout, key_id, issued_s, expires_s, num_bytes)


def unseal(capsule: bytes, keys: Mapping[str, bytes], *, now_s: float) -> Content:
    """What is in a capsule.

    Raises:
        CapsuleInvalid: It is none, it is not authentic, or its key is not here.
        CapsuleExpired: It is authentic, and its time is over.
    """
    from service.sessions.capsules.cipher import decrypted

    header = read_header(capsule)
    key = keys.get(header.key_id)
    if key is None:
        raise CapsuleInvalid("the capsule was sealed with a key that is not known here")
    associated = capsule[: header.num_bytes]
    plain = decrypted(capsule[header.num_bytes :], key, associated[-32:], associated)
    if plain is None:
        raise CapsuleInvalid("the capsule is not authentic")
    if now_s >= header.expires_s:
        raise CapsuleExpired("the capsule has expired: make a new one of the text")
    fingerprint, seed, num_bytes = _CONTENT.unpack_from(plain)
    model = plain[_CONTENT.size : _CONTENT.size + num_bytes].decode()
    return Content(model, fingerprint, seed, plain[_CONTENT.size + num_bytes :])


def to_text(capsule: bytes) -> str:
    """As base64url without padding."""
    return base64.urlsafe_b64encode(capsule).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """The inverse of `to_text`.

    Raises:
        CapsuleInvalid: It is not that, to the letter.
    """
    try:
        capsule = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        capsule = b""
    if not capsule or to_text(capsule) != text:
        raise CapsuleInvalid("the capsule is not base64url without padding, or is cut off")
    return capsule
