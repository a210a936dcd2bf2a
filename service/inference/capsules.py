"""Capsules of texts: sealed for whoever keeps them, opened for the model that they are of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TypeVar

from service.inference.turnstile import Turnstile
from service.models.live import LiveModels
from service.models.registry import ServedModel
from service.rows.codec import RowUnreadable, decode_row, encode_row
from service.rows.row import Row
from service.sessions.capsules.errors import CapsulesOff, CapsuleUnusable
from service.sessions.capsules.seal import Content, from_text, seal, to_text, unseal

_T = TypeVar("_T")
_LONG_BYTES = 128 << 10
"""What is longer is for a thread; less takes about half a millisecond."""
_SHORT_S = 0.0005


class Capsules:
    """Makes and opens capsules.

    Args:
        keys: By their ids; the first one seals. Without any there are no capsules.
        ttl_s: How long a capsule lasts.
        turnstile: Of the event loop.
    """

    def __init__(self, keys: Mapping[str, bytes], ttl_s: float, turnstile: Turnstile) -> None:
        self._keys = dict(keys)
        self._ttl_s = ttl_s
        self._turnstile = turnstile

    def require(self) -> None:
        """Raise CapsulesOff if there is no key."""
        if not self._keys:
            raise CapsulesOff("this server makes and takes no capsules: it has no --capsule-keys")

    async def seal(self, model: ServedModel, row: Row | None, seed: int, client: str) -> bytes:
        """A capsule of a text of this model; of the empty one without a row.

        Raises:
            CapsulesOff: There is no key.
        """
        self.require()
        key_id, key = next(iter(self._keys.items()))

        def work() -> bytes:
            fingerprint = model.manifest.fingerprint
            content = b"" if row is None else encode_row(row, fingerprint)
            inside = Content(model.ref, fingerprint, seed, content)
            return seal(inside, key_id, key, now_s=time.time(), ttl_s=self._ttl_s)

        num_bytes = 0 if row is None else row.num_bytes
        if num_bytes > _LONG_BYTES:
            return await asyncio.to_thread(work)
        await self._turnstile.enter(_SHORT_S, client)
        return work()

    async def seal_text(self, model: ServedModel, row: Row | None, seed: int, client: str) -> str:
        """The same as text."""
        return await self.as_text(await self.seal(model, row, seed, client))

    async def as_text(self, capsule: bytes) -> str:
        """A capsule as base64url; a long one is written by a thread."""
        if len(capsule) > _LONG_BYTES:
            return await asyncio.to_thread(to_text, capsule)
        return to_text(capsule)

    async def open(
        self, text: str, live: LiveModels, client: str
    ) -> tuple[ServedModel, Row | None, int]:
        """The model of a capsule, its row (None before the first token), and its seed.

        Raises:
            CapsuleError: It cannot be used; the class says why.
            ModelUnknown, ModelBroken: Its model is not served here.
        """
        self.require()

        def unsealed() -> Content:
            return unseal(from_text(text), self._keys, now_s=time.time())

        if len(text) > _LONG_BYTES:
            content = await asyncio.to_thread(unsealed)
            model = await live.find(content.model)
            return model, await asyncio.to_thread(_row_of, content, model), content.seed
        await self._turnstile.enter(_SHORT_S, client)
        content = unsealed()
        model = await live.find(content.model)
        return model, _row_of(content, model), content.seed


def _row_of(content: Content, model: ServedModel) -> Row | None:
    if content.fingerprint != model.manifest.fingerprint:
        raise CapsuleUnusable(
            f"the capsule is of another model than the {model.ref} that is served here"
        )
    if not content.row:
        return None
    try:
        return decode_row(content.row, model.engine.row_shape, model.manifest.fingerprint)
    except RowUnreadable as error:
        raise CapsuleUnusable(f"the capsule cannot go on with {model.ref}: {error}") from error
