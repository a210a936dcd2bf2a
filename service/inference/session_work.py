"""What can be done with a session besides writing: go back, fork, read on, compare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from service.entropy import randbits
from service.inference.accounts import Accounts
from service.inference.appending import Appended, Appender
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.identity import Identity
from service.inference.parting import part
from service.inference.places import Places, ids_of, text_of
from service.inference.reading import PromptEncoder
from service.inference.request import SEED_BITS, RequestLimits, TextRequest
from service.inference.restricting import with_form_of
from service.models.live import LiveModels
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import SamplingOptions
from service.sessions.session import (
    Back,
    Idempotency,
    KeptTurn,
    Lease,
    Recorded,
    Session,
    SessionKey,
    TurnRecord,
)
from service.sessions.store import SessionStore

COMMIT_S = 30.0
"""A turn's lease is longer than its request may take by this: for the commit at its end."""
_TURNS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Place:
    """An earlier place of a session: exactly one of these.

    Attributes:
        position: Length of the text there, in tokens.
        turn: It is after this turn.
        characters: It is so many before the end.
    """

    position: int | None = None
    turn: int | None = None
    characters: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """What a session has after the place where another one parts from it.

    Attributes:
        session: It.
        turn: The first turn that holds something else; None if it has nothing more.
        text: What follows, the beginning of it.
    """

    session: Session
    turn: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Again:
    """A session's last turn, to be written again.

    Attributes:
        back: Where it began.
        row: The row there; None: the start.
        prompt_T: Ids of what it has read.
        record: What it was.
    """

    back: Back
    row: Row | None
    prompt_T: Int64
    record: TurnRecord

    def asked(self, asked: TextRequest) -> TextRequest:
        """What is asked for, with the turn's own options where nothing is said of them."""
        options = json.loads(self.record.options)
        stop = tuple(options.pop("stop", ()))
        max_tokens = options.pop("max_tokens", None)
        asked = with_form_of(asked, options)
        return replace(
            asked,
            prompt=self.record.prompt or "",
            max_tokens=max_tokens if asked.max_tokens is None else asked.max_tokens,
            options=asked.options.merged(SamplingOptions(**options)),
            seed=randbits(SEED_BITS) if asked.seed is None else asked.seed,
            stop=stop if asked.stop is None else asked.stop,
        )


class SessionWork:
    """Works on sessions for clients; shares what it is given with `Inference`."""

    def __init__(
        self,
        live: LiveModels,
        sessions: SessionStore,
        accounts: Accounts,
        prompts: PromptEncoder,
        limits: RequestLimits,
    ) -> None:
        self._live = live
        self._sessions = sessions
        self._accounts = accounts
        self._prompts = prompts
        self._limits = limits

    async def fork(
        self, session_id: str, number: int, seed: int | None, at: Place | None, identity: Identity
    ) -> list[Session]:
        """So many copies of a session, each with a seed of its own: `seed` and those after it.

        Args:
            session_id: Of the session.
            number: Of copies.
            seed: Of the first; None: each is drawn at random.
            at: Where the copies begin; None: where the session is now.
            identity: Who asks.

        Raises:
            SessionError, InvalidOption, EngineError: It cannot be copied now, or not there.
        """
        if seed is None:
            seeds = [randbits(SEED_BITS) for _ in range(number)]
        else:
            seeds = [(seed + n) % (1 << 63) for n in range(number)]
        key = SessionKey(identity.owner, session_id)
        if at is None:
            return await self._sessions.fork(key, identity.account, seeds)
        deadline = self._deadline()
        async with deadline.bounding():
            session = await self._sessions.get(key)
            back = await self._back(await self.places(session, key, identity, deadline), at)
            return await self._sessions.fork(key, identity.account, seeds, back)

    async def rewind(
        self, session_id: str, to: Place, version: int | None, identity: Identity
    ) -> Session:
        """Let a session go on from an earlier place; what came after it is forgotten.

        Raises:
            SessionError, InvalidOption, EngineError: The session is as it was.
        """
        key = SessionKey(identity.owner, session_id)
        async with self._leased(key, version) as (lease, deadline):
            if isinstance(lease, Recorded):
                raise AssertionError("nothing is recorded of what has no name")
            places = await self.places(lease.session, key, identity, deadline)
            back = await self._back(places, to)
            return await self._sessions.commit(lease, back.row, None, back=back)

    async def append(
        self,
        session_id: str,
        text: str,
        *,
        logprobs: int | None,
        version: int | None,
        idempotency: Idempotency | None,
        identity: Identity,
    ) -> Appended:
        """Let a session read a text, as a turn in which nothing is written; see `Appended.close`.

        Raises:
            SessionError, InvalidOption, EngineError: The session is as it was.
        """
        key = SessionKey(identity.owner, session_id)
        if idempotency is not None and logprobs is not None:
            raise InvalidOption("logprobs", "logprobs are not recorded with an Idempotency-Key")
        async with self._leased(key, version, idempotency) as (begun, deadline):
            if isinstance(begun, Recorded):
                return Appended.recorded(begun, await self.model_of(begun.session))
            model = await self.model_of(begun.session)
            appender = Appender(
                model=model,
                past=model.row_of(begun),
                prompts=self._prompts,
                num_top=logprobs,
                most_with_logprobs=self._limits.max_tokens,
                checkpoint_every=self._limits.checkpoint_every,
                identity=identity,
                deadline=deadline,
            )
            ticket = self._accounts.accept(appender.num_result_bytes(text), identity.allowance)
            appended = None
            try:
                await appender.read(text)
                session = await self._sessions.commit(
                    begun,
                    model.kept(appender.row),
                    appender.record(
                        begun.session, text if self._limits.keep_session_texts else None
                    ),
                    checkpoints=[model.kept(row) for row in appender.checkpoints],
                )
                appended = appender.appended(session, ticket)
                return appended
            finally:
                ticket.num_tokens = appender.reading.num_tokens
                ticket.finish()
                if appended is None or appended.figures is None:
                    ticket.close()

    async def diff(
        self, session_id: str, other_id: str, most_characters: int, identity: Identity
    ) -> tuple[int, list[Branch]]:
        """Where two sessions part: how many tokens they share, and what each has after them.

        Raises:
            SessionError: One of them is not there, or its text is not kept.
            InvalidOption: They are of different models.
        """
        keys = [SessionKey(identity.owner, each) for each in (session_id, other_id)]
        sessions = [await self._sessions.get(key) for key in keys]
        if sessions[0].model != sessions[1].model:
            raise InvalidOption("with", f"with: it is of another model, {sessions[1].model}")
        tokenizer = (await self.model_of(sessions[0])).tokenizer
        num_shared, rests = await part(*(self._turns(key) for key in keys))
        branches = [
            Branch(session, rest.turn, text_of(rest.id_T, tokenizer)[:most_characters])
            for session, rest in zip(sessions, rests, strict=True)
        ]
        return num_shared, branches

    async def again(self, session: Session, identity: Identity, deadline: Deadline) -> Again:
        """The last turn of a session, whose text is to be written again.

        Raises:
            SessionError: There is none, or what it has read is not kept.
        """
        key = SessionKey(identity.owner, session.id)
        model = await self.model_of(session)
        places = Places(self._sessions, key, session, model, identity, deadline)
        back, turn = await places.before_last_turn()
        content = back.row.content if back.row else None
        row = model.row_at(session, content, back.position)
        return Again(back, row, ids_of(turn)[: turn.record.num_read], turn.record)

    async def places(
        self, session: Session, key: SessionKey, identity: Identity, deadline: Deadline
    ) -> Places:
        """Earlier places of a session."""
        model = await self.model_of(session)
        return Places(self._sessions, key, session, model, identity, deadline)

    async def model_of(self, session: Session) -> ServedModel:
        """The model that a session belongs to."""
        return await self._live.find(session.model)

    async def _turns(self, key: SessionKey) -> AsyncIterator[KeptTurn]:
        """All turns that are remembered, the oldest first."""
        after, are_more = -1, True
        while are_more:
            turns, are_more = await self._sessions.log(key, after=after, limit=_TURNS_AT_ONCE)
            for turn in turns:
                yield turn
                after = turn.version

    @asynccontextmanager
    async def _leased(
        self, key: SessionKey, version: int | None, idempotency: Idempotency | None = None
    ) -> AsyncIterator[tuple[Lease | Recorded, Deadline]]:
        """A session for one turn, and the time that there is for it; free afterwards."""
        deadline = self._deadline()
        async with deadline.bounding():
            lease_s = deadline.time_left_s + COMMIT_S
            begun = await self._sessions.begin(
                key, lease_s=lease_s, version=version, idempotency=idempotency
            )
            try:
                yield begun, deadline
            except BaseException:
                if isinstance(begun, Lease):
                    await self._sessions.release(begun)
                raise

    async def _back(self, places: Places, to: Place) -> Back:
        if to.turn is not None:
            return await places.after_turn(to.turn)
        if to.characters is not None:
            return await places.characters_before_end(to.characters)
        return await places.at(to.position or 0)

    def _deadline(self) -> Deadline:
        return Deadline.after(self._limits.max_timeout_s)
