"""Earlier places of a session: which there are, and the row there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from service.artifacts.tokenizer import Tokenizer
from service.engine.request import Request
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.identity import Identity
from service.inference.reading import read_row
from service.inference.text import TextAssembler
from service.inference.turn import counted_as_generated
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.errors import PlaceGone, TextsNotKept
from service.sessions.ids import pack_ids, unpack_ids
from service.sessions.session import Back, KeptTurn, Past, Session, SessionKey, TurnRecord
from service.sessions.store import SessionStore

_TURNS_AT_ONCE = 50


class Places:
    """Finds earlier places of one session.

    Args:
        sessions: Where it is kept.
        key: Which it is, and who asks.
        session: As it is now.
        model: Its own.
        deadline: Of the request.
    """

    def __init__(
        self,
        sessions: SessionStore,
        key: SessionKey,
        session: Session,
        model: ServedModel,
        identity: Identity,
        deadline: Deadline,
    ) -> None:
        self._sessions = sessions
        self._key = key
        self._session = session
        self._model = model
        self._identity = identity
        self._deadline = deadline

    async def at(self, position: int) -> Back:
        """The place where the text has so many tokens.

        Raises:
            InvalidOption: The text is not so long.
            PlaceGone, TextsNotKept: It is no place that one can go back to.
            EngineError: The row there cannot be computed now.
        """
        if position > self._session.num_tokens:
            raise InvalidOption("to", f"to: the session has {self._session.num_tokens} tokens")
        return await self._back(position, np.zeros(0, np.int64))

    async def after_turn(self, version: int) -> Back:
        """The place after a turn.

        Raises:
            PlaceGone: The session has no such turn any more, or never had.
        """
        turn = await self._turn(version)
        return await self.at(turn.num_tokens)

    async def before_last_turn(self) -> tuple[Back, KeptTurn]:
        """The place before the last turn that has written something, and the turn.

        Raises:
            InvalidOption: The last turn has written nothing.
        """
        past = await self._sessions.past(self._key, max(0, self._session.num_tokens - 1))
        if not past.turns or not past.turns[-1].record.num_written:
            raise InvalidOption("session", "the last turn of this session has written nothing")
        turn = past.turns[-1]
        return await self.at(turn.start), turn

    async def characters_before_end(self, number: int) -> Back:
        """The place so many characters before the end; inside of a token if it has to be.

        Raises:
            InvalidOption: The text has fewer.
        """
        before, left = self._session.version, number
        while before >= 0:
            after = max(-1, before - _TURNS_AT_ONCE)
            turns, _ = await self._sessions.log(self._key, after=after, limit=_TURNS_AT_ONCE)
            for turn in reversed([turn for turn in turns if turn.version <= before]):
                ends, text = _ends(ids_of(turn), self._model.tokenizer)
                if left <= len(text):
                    return await self._inside(turn, ends, text[: len(text) - left])
                left -= len(text)
            before = after
        raise InvalidOption(
            "characters", f"characters: fewer than {number} of the session are remembered"
        )

    async def _inside(self, turn: KeptTurn, ends: list[int], text: str) -> Back:
        """The place of a turn where so much of its text is there."""
        num_tokens = sum(1 for end in ends if end <= len(text))
        rest = text[ends[num_tokens - 1] if num_tokens else 0 :]
        rest_ids = self._model.tokenizer.encode(rest) if rest else []
        return await self._back(turn.start + num_tokens, np.array(rest_ids, np.int64))

    async def _turn(self, version: int) -> KeptTurn:
        turns, _ = await self._sessions.log(self._key, after=version - 1, limit=1)
        if not turns or turns[0].version != version:
            raise PlaceGone(
                f"session {self._key.id} has no turn {version}: see GET /sessions/{{id}}/log"
            )
        return turns[0]

    async def _back(self, position: int, rest_T: Int64) -> Back:
        """The place after `position` tokens and a part of the one that is next."""
        past = await self._sessions.past(self._key, position)
        cut = None
        if past.turns and past.turns[-1].num_tokens > position:
            cut = self._cut(past.turns[-1], position, rest_T)
        row = await self._row(past, position, rest_T)
        kept = None if row is None else self._model.kept(row)
        return Back(position + len(rest_T), position, kept, cut)

    async def _row(self, past: Past, position: int, rest_T: Int64) -> Row | None:
        start = self._model.row_at(self._session, past.row, past.num_tokens)
        read, written = [], []
        num_tokens = past.num_tokens
        for turn in past.turns:
            if turn.start > num_tokens or num_tokens == position:
                break
            ids = ids_of(turn)[num_tokens - turn.start : position - turn.start]
            read.append(ids)
            num_prompt = max(0, turn.record.num_read - (num_tokens - turn.start))
            written.append(ids[num_prompt:])
            num_tokens += len(ids)
        if num_tokens != position:
            raise PlaceGone(
                f"session {self._session.id} cannot go back to {position}: the turns there are "
                f"forgotten; the earliest place that it can go back to is "
                f"{min(past.places, default=self._session.num_tokens)}"
            )
        text_T = np.concatenate([*read, rest_T]).astype(np.int64)
        if not len(text_T):
            return start
        request = Request(
            prompt_T=text_T,
            max_tokens=0,
            sampling=Sampling(seed=self._session.seed),
            timeout_s=self._deadline.time_left_s,
            past=start,
            return_row=True,
            client=self._identity.client,
            cache_salt=self._identity.owner,
        )
        row = await read_row(self._model.engine.submit(request))
        return counted_as_generated(row, start, np.concatenate([*written, rest_T]).astype(np.int64))

    def _cut(self, turn: KeptTurn, position: int, rest_T: Int64) -> TurnRecord | None:
        """What is left of a turn that ends after a place."""
        record = turn.record
        if record.read is None or record.written is None:
            return (
                replace(
                    record,
                    num_read=min(record.num_read, position - turn.start),
                    num_written=max(0, position - turn.start - record.num_read),
                )
                if position > turn.start
                else None
            )
        ids = ids_of(turn)[: position - turn.start]
        read_T, written_T = ids[: record.num_read], ids[record.num_read :]
        if len(ids) < record.num_read:
            read_T = np.concatenate([read_T, rest_T])
        else:
            written_T = np.concatenate([written_T, rest_T])
        if not len(read_T) and not len(written_T):
            return None
        tokenizer = self._model.tokenizer
        whole = len(read_T) == record.num_read
        return replace(
            record,
            num_read=len(read_T),
            num_written=len(written_T),
            read=pack_ids(read_T),
            written=pack_ids(written_T),
            prompt=record.prompt if whole else text_of(read_T, tokenizer),
            text=text_of(written_T, tokenizer),
            finish_reason="rewound",
        )


def ids_of(turn: KeptTurn) -> Int64:
    """Ids of all tokens of a turn.

    Raises:
        TextsNotKept: They are not kept.
    """
    record = turn.record
    if record.read is None or record.written is None:
        raise TextsNotKept(
            "this needs the text of the session, which is not kept: the server runs with "
            "--keep-session-texts=false, or did when the turn was committed"
        )
    return np.concatenate([unpack_ids(record.read), unpack_ids(record.written)])


def text_of(id_T: Int64, tokenizer: Tokenizer) -> str:
    """The text of some ids."""
    return _ends(id_T, tokenizer)[1]


def _ends(id_T: Int64, tokenizer: Tokenizer) -> tuple[list[int], str]:
    """Where the text of each id ends, and the text. One without a text ends where the next does."""
    assembler = TextAssembler(tokenizer.incremental(), ())
    ends: list[int] = []
    parts, length = [], 0
    for token_id in id_T.tolist():
        piece = assembler.push([token_id])
        parts.append(piece.text)
        length += len(piece.text)
        ends += [length] * (piece.num_released - len(ends))
    piece = assembler.finish()
    parts.append(piece.text)
    length += len(piece.text)
    return ends + [length] * (len(id_T) - len(ends)), "".join(parts)
