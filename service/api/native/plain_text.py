"""A text of any length that is read while it comes, piece by piece."""

from __future__ import annotations

import codecs
from sys import getsizeof

from starlette.exceptions import HTTPException
from starlette.types import Receive

from service.api.bodies import Bodies, part_of
from service.api.body_memory import Held

_PIECE_CHARACTERS = 256 << 10


class PlainText:
    """A body of plain text; its pieces have 256 Ki characters, and end where a line does.

    Each piece has the time that another body has for all of it. What is here of the text, its
    piece in work included, is accounted for as other bodies are: as it lies in memory, where one
    rare character makes all of them four times as large.

    Args:
        receive: The request's.
        bodies: All that are here.
        held: What this one takes of their memory.
    """

    def __init__(self, receive: Receive, bodies: Bodies, held: Held) -> None:
        self._receive = receive
        self._bodies = bodies
        self._held = held
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._num_bytes = 0
        self._text = ""
        self._is_whole = False

    async def has_come(self) -> bool:
        """Wait for the next piece, and for its turn; False: there is no more.

        Raises:
            HTTPException: It is too slow (408), or not UTF-8 (400).
            Overloaded: There is no room for it.
            Draining: The server goes down before it has come.
            ClientGone: The client left.
        """
        self._account()  # the piece before is done with
        if self._lacks_more:
            async with self._bodies.in_time() as time_left:
                while self._lacks_more:
                    message = await self._receive()
                    part = part_of(message)
                    self._add(part, is_last=not message.get("more_body", False))
                    await self._bodies.let_pass(part, time_left, self._held.client)
        if not self._text:
            return False
        await self._bodies.let_begin(self._held.client)
        return True

    def take(self) -> str:
        """The piece that has come; what it takes counts until the next one is asked for."""
        end = len(self._text)
        if end >= _PIECE_CHARACTERS:
            end = self._text.rfind("\n", 0, _PIECE_CHARACTERS) + 1 or _PIECE_CHARACTERS
        piece, self._text = self._text[:end], self._text[end:]
        return piece

    @property
    def _lacks_more(self) -> bool:
        return not self._is_whole and len(self._text) < _PIECE_CHARACTERS

    def _add(self, part: bytes, *, is_last: bool) -> None:
        try:
            more = self._decoder.decode(part, final=is_last)
        except UnicodeDecodeError as error:
            place = self._num_bytes + error.start
            raise HTTPException(
                400, f"the text is not UTF-8: {error.reason} near byte {place}"
            ) from error
        self._num_bytes += len(part)
        self._is_whole = is_last
        # Python makes a text longer where it lies if nothing else has it. Copies of all of it for
        # each of many short parts would hold up the event loop.
        text, self._text = self._text, ""
        text += more
        self._text = text
        self._account()
        self._held.require_room()

    def _account(self) -> None:
        self._held.become(getsizeof(self._text))
