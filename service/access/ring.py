"""The keys that are let in now, and what their names have asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest

from service.access.errors import KeyRefused
from service.access.keys import MAX_KEY_BYTES, Key, digest_of
from service.access.limits import Allowance

_NOBODY = Key("", bytes(32))


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a key is.

    Attributes:
        name: Its name.
        scopes: What the key is for.
        allowance: What its name may still ask for.
    """

    name: str
    scopes: frozenset[str]
    allowance: Allowance


class KeyRing:
    """Finds whose a key is.

    A key is looked up by a hash of its hash with a secret of this process, so that the time of the
    look-up tells nothing of the keys that are here; and is then compared in constant time.

    Args:
        keys: That are let in.

    Attributes:
        fault: Why the newest keys were not taken; those from before are let in.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._secret = os.urandom(32)
        self._allowances: dict[str, Allowance] = {}
        self._holders: dict[bytes, tuple[Key, Holder]] = {}
        self.fault: str | None = None
        self.replace(keys)

    def __len__(self) -> int:
        return len(self._holders)

    def replace(self, keys: Iterable[Key]) -> None:
        """Let these in from now on; what names have asked for is not forgotten."""
        allowances: dict[str, Allowance] = {}
        holders = {}
        for key in keys:
            allowance = allowances.get(key.name) or self._allowances.get(key.name)
            allowance = allowance or Allowance(key.limits)
            allowance.limit(key.limits)
            allowances[key.name] = allowance
            holder = Holder(key.name, key.scopes, allowance)
            holders[self._place(key.digest)] = (key, holder)
        self._allowances, self._holders, self.fault = allowances, holders, None

    def find(self, presented: bytes) -> Holder:
        """Whose a key is.

        Raises:
            KeyRefused: Nobody's.
        """
        if len(presented) <= MAX_KEY_BYTES:  # what is longer is not worth hashing
            digest = digest_of(presented)
            key, holder = self._holders.get(self._place(digest), (_NOBODY, None))
            if compare_digest(key.digest, digest) and holder is not None:
                return holder
        raise KeyRefused("there is no such API key")

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, digest_size=32, key=self._secret).digest()
