"""Sequences: sessions under names that clients give them, begun and ended by flags of a request."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress

from service.inference.errors import SequenceStarted, SequenceUnknown
from service.inference.identity import Identity
from service.inference.start import Inference
from service.sessions.errors import SessionGone, SessionUnknown
from service.sessions.session import SessionKey

_Name = tuple[str, str]


class Sequences:
    """Which session is meant by a client's name for it.

    Names are known to this process only, and belong to whoever gave them; sessions have ids of the
    server's own, which nobody can guess. Used on one event loop.

    Args:
        inference: Makes the sessions.
        most: Names that are remembered; beyond that the longest unused one is forgotten.
    """

    def __init__(self, inference: Inference, most: int) -> None:
        self._inference = inference
        self._most = most
        self._session_ids: OrderedDict[_Name, str] = OrderedDict()
        self._starting: set[_Name] = set()

    async def start(self, name: str, model: str, identity: Identity) -> str:
        """A new session under this name; returns its id.

        Raises:
            SequenceStarted: There is one of this name.
            InvalidOption, ModelUnknown, ModelBroken, SessionError, EngineError: It cannot be made.
        """
        key = (identity.owner, name)
        if key in self._starting:
            raise SequenceStarted(f"sequence {name!r} is begun by another request")
        self._starting.add(key)
        try:
            if key in self._session_ids:
                await self._require_over(key)
            session, _ = await self._inference.create_session(
                prompt="", model=model, seed=None, identity=identity
            )
        finally:
            self._starting.discard(key)
        self._session_ids[key] = session.id
        self._session_ids.move_to_end(key)
        while len(self._session_ids) > self._most:
            self._session_ids.popitem(last=False)
        return session.id

    async def _require_over(self, key: _Name) -> None:
        with suppress(SessionGone, SessionUnknown):
            await self._inference.sessions.get(SessionKey(key[0], self._session_ids[key]))
            raise SequenceStarted(f"sequence {key[1]!r} has begun already, and not ended")

    def find(self, name: str, identity: Identity) -> str:
        """The id of the session of this name.

        Raises:
            SequenceUnknown: There is none.
        """
        key = (identity.owner, name)
        if key not in self._session_ids:
            raise SequenceUnknown(
                f"there is no sequence {name!r}: begin one with sequence_start; a sequence does "
                "not outlive the server's process"
            )
        self._session_ids.move_to_end(key)
        return self._session_ids[key]

    async def end(self, name: str, session_id: str, identity: Identity) -> None:
        """Forget a session and its name; harmless if it is over already."""
        key = (identity.owner, name)
        if self._session_ids.get(key) == session_id:
            del self._session_ids[key]
        with suppress(SessionGone, SessionUnknown):
            await self._inference.sessions.delete(SessionKey(identity.owner, session_id))
