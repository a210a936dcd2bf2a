"""What seals capsules: AES-256-GCM, with a key and a nonce of its own for each of them.

Both are made of the server's key and the capsule's salt (HKDF-SHA256). In a file of its own, since
what it imports takes 7 MB: a server without keys for capsules never reads it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO = b"lstm-serve capsule 1"
_KEY_BYTES, _NONCE_BYTES = 32, 12


def encrypted(plain: bytes, key: bytes, salt: bytes, associated: bytes) -> bytes:
    """The content of a capsule, with a tag of 16 bytes that also stands for `associated`."""
    cipher, nonce = _cipher(key, salt)
    return cipher.encrypt(nonce, plain, associated)


def decrypted(sealed: bytes, key: bytes, salt: bytes, associated: bytes) -> bytes | None:
    """The inverse of `encrypted`; None if it is not authentic."""
    cipher, nonce = _cipher(key, salt)
    try:
        return cipher.decrypt(nonce, sealed, associated)
    except InvalidTag:
        return None


def _cipher(key: bytes, salt: bytes) -> tuple[AESGCM, bytes]:
    made = HKDF(SHA256(), _KEY_BYTES + _NONCE_BYTES, salt, _INFO).derive(key)
    return AESGCM(made[:_KEY_BYTES]), made[_KEY_BYTES:]
