"""From what a client asks for to a running text: model, session, prompt, engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from weakref import WeakSet

from service.engine.request import Request
from service.entropy import randbits, token_hex
from service.inference.accounts import Accounts
from service.inference.capsules import Capsules
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.identity import ANYBODY, Identity
from service.inference.reading import PromptEncoder, Unknown, read_row
from service.inference.receipts import ReceiptWriter
from service.inference.recorded import RecordedText
from service.inference.request import SEED_BITS, RequestLimits, TextRequest
from service.inference.running import RunningText
from service.inference.session_work import COMMIT_S, SessionWork
from service.inference.turn import Turn
from service.inference.turnstile import Turnstile
from service.models.registry import ModelRegistry, ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.ids import pack_ids
from service.sessions.session import Recorded, Session, SessionKey, TurnRecord
from service.sessions.store import SessionStore

_ROWS_EVERY_WITH_STOPS = 32
"""Tokens: more would be read again to go back to a stop string, or held unread."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a text goes on from.

    Attributes:
        asked: For the text.
        model: That writes it.
        past: Its row; None: the start.
        seed: What it draws with if the request says nothing.
        turn: Of the session, if it is one.
        prompt_T: What it reads, if that is not the request's prompt.
    """

    asked: TextRequest
    model: ServedModel
    past: Row | None
    seed: int
    turn: Turn | None = None
    prompt_T: Int64 | None = None


class Inference:
    """Starts texts and sessions on the models that are served."""

    def __init__(
        self,
        models: ModelRegistry,
        sessions: SessionStore,
        limits: RequestLimits,
        capsule_keys: Mapping[str, bytes] | None = None,
        capsule_ttl_s: float = 1,
    ) -> None:
        self.models = models
        self.sessions = sessions
        self.accounts = Accounts(limits.max_result_bytes)
        self.turnstile = Turnstile()
        self.capsules = Capsules(capsule_keys or {}, capsule_ttl_s, self.turnstile)
        self.running: WeakSet[RunningText] = WeakSet()
        self._limits = limits
        self._prompts = PromptEncoder(limits.max_prompt_tokens, limits.max_waiting_characters)
        self.session_work = SessionWork(models, sessions, self.accounts, self._prompts, limits)

    async def start(self, asked: TextRequest) -> RunningText | RecordedText:
        """Start a text; it comes out of `deltas`, and `close` must follow.

        A turn of a session that was committed before, and is asked for again by its idempotency
        key, is not written again.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, SessionError, CapsuleError, EngineError:
                Nothing has changed.
        """
        if asked.idempotency is not None:
            asked.require_recordable(keeps_texts=self._limits.keep_session_texts)
        if asked.return_capsule:
            self.capsules.require()
        deadline = Deadline.after(self._limits.timeout_s(asked.timeout_s))
        most_tokens = self._limits.num_tokens(asked.max_tokens)
        ticket = self.accounts.accept(asked.num_result_bytes(most_tokens))
        turn = None
        try:
            async with deadline.bounding():
                origin = await self._origin(asked, deadline)
                if isinstance(origin, RecordedText):
                    ticket.close()
                    return origin
                asked, model, turn = origin.asked, origin.model, origin.turn
                stop = _cleaned(asked.stop or (), model)
                if turn:
                    turn.asks_for(asked.prompt, stop)
                prompt_T, unknown = await self._prompt(origin)
            request = Request(
                prompt_T=prompt_T,
                max_tokens=self._limits.num_tokens(asked.max_tokens),
                sampling=_sampling(asked, model, origin.seed),
                timeout_s=deadline.time_left_s,
                past=origin.past,
                return_row=turn is not None or asked.wants_end,
                rows_every=self._rows_every(asked, is_turn=turn is not None),
                client=asked.identity.client,
                cache_salt=asked.identity.owner,
            )
            stream = model.engine.submit(request)
        except BaseException:
            ticket.close()
            if turn:
                await turn.abandon()
            raise
        running = RunningText(
            model=model,
            request=request,
            stream=stream,
            unknown=unknown,
            stop=stop,
            stream_every=asked.stream_every,
            turn=turn,
            checkpoint_every=self._limits.checkpoint_every,
            ticket=ticket,
            turnstile=self.turnstile,
            seal=self._seal(origin, request) if asked.return_capsule else None,
            receipt=ReceiptWriter(model, request, stop, self.turnstile) if asked.receipt else None,
        )
        self.running.add(running)
        return running

    async def _origin(self, asked: TextRequest, deadline: Deadline) -> _Origin | RecordedText:
        """What a text goes on from: a session, a capsule, or nothing."""
        if asked.session is not None:
            return await self._turn(asked, asked.session, deadline)
        if asked.capsule is None:
            return _Origin(asked, self.models.resolve(asked.model), None, randbits(SEED_BITS))
        client = asked.identity.client
        model, past, seed = await self.capsules.open(asked.capsule, self.models, client)
        if asked.model is not None and self.models.resolve(asked.model) is not model:
            raise InvalidOption("model", f"the capsule belongs to {model.ref}")
        return _Origin(asked, model, past, seed)

    async def _turn(
        self, asked: TextRequest, session_id: str, deadline: Deadline
    ) -> _Origin | RecordedText:
        """A turn of a session, reserved for it; or one that has been, by its idempotency key."""
        begun = await self.sessions.begin(
            SessionKey(asked.identity.owner, session_id),
            lease_s=deadline.time_left_s + COMMIT_S,
            version=asked.session_version,
            idempotency=asked.idempotency,
        )
        if isinstance(begun, Recorded):
            return RecordedText(self._model_of(asked.model, begun.session), begun)
        turn = Turn(self.sessions, begun, keeps_texts=self._limits.keep_session_texts)
        try:
            model, seed = self._model_of(asked.model, begun.session), begun.session.seed
            if not asked.again:
                return _Origin(asked, model, model.row_of(begun), seed, turn)
            again = await self.session_work.again(begun.session, asked.identity, deadline)
            turn.goes_on_from(again.back)
            return _Origin(again.asked(asked), model, again.row, seed, turn, again.prompt_T)
        except BaseException:
            await turn.abandon()
            raise

    async def _prompt(self, origin: _Origin) -> tuple[Int64, Unknown]:
        """What is to be read, and what of it the model has never seen."""
        if origin.prompt_T is not None:
            return origin.prompt_T, Unknown()
        asked = origin.asked
        return await self._prompts.encode(
            origin.model,
            asked.prompt,
            origin.past,
            client=asked.identity.client,
            report_unknown=asked.report_unknown,
        )

    def _seal(self, origin: _Origin, request: Request) -> Callable[[Row], Awaitable[str]]:
        """Makes a capsule of the text's end, with the seed that its past came with."""
        begins = origin.turn is None and origin.asked.capsule is None
        seed = request.sampling.seed if begins else origin.seed
        seal = self.capsules.seal_text
        return lambda row: seal(origin.model, row, seed, request.client)

    async def create_session(
        self,
        *,
        prompt: str,
        model: str | None,
        seed: int | None,
        report_unknown: bool = False,
        identity: Identity = ANYBODY,
    ) -> tuple[Session, Unknown]:
        """A new session that has read `prompt`, and what of it the model has never seen.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, EngineError: It cannot be created.
        """
        deadline = Deadline.after(self._limits.max_timeout_s)
        served = self.models.resolve(model)
        seed = randbits(SEED_BITS) if seed is None else seed
        ticket = self.accounts.accept(0)
        try:
            row, record, unknown = None, None, Unknown(pieces=() if report_unknown else None)
            if prompt:
                async with deadline.bounding():
                    prompt_T, unknown = await self._prompts.encode(
                        served, prompt, None, client=identity.client, report_unknown=report_unknown
                    )
                request = Request(
                    prompt_T=prompt_T,
                    max_tokens=0,
                    sampling=Sampling(seed=seed),
                    timeout_s=deadline.time_left_s,
                    return_row=True,
                    client=identity.client,
                    cache_salt=identity.owner,
                )
                row = await read_row(served.engine.submit(request))
                record = TurnRecord(
                    generation="g_" + token_hex(12),
                    num_read=row.num_tokens,
                    num_written=0,
                    seed=seed,
                    options="{}",
                    finish_reason="length",
                    usage="{}",
                    prompt=prompt if self._limits.keep_session_texts else None,
                    text="" if self._limits.keep_session_texts else None,
                    read=pack_ids(prompt_T) if self._limits.keep_session_texts else None,
                    written=pack_ids(prompt_T[:0]) if self._limits.keep_session_texts else None,
                )
            session = await self.sessions.create(
                owner=identity.owner,
                account=identity.account,
                model=served.ref,
                row=None if row is None else served.kept(row),
                seed=seed,
                record=record,
            )
            return session, unknown
        finally:
            ticket.close()

    def _rows_every(self, asked: TextRequest, *, is_turn: bool) -> int:
        """Tokens between rows of a text that will go on: a stop string is gone back to at once."""
        if asked.stop and (is_turn or asked.wants_end):
            return _ROWS_EVERY_WITH_STOPS
        return self._limits.checkpoint_every if is_turn else 0

    def _model_of(self, name: str | None, session: Session) -> ServedModel:
        model = self.models.resolve(session.model)
        if name is not None and self.models.resolve(name) is not model:
            raise InvalidOption("model", f"session {session.id} belongs to {session.model}")
        return model


def _cleaned(stops: tuple[str, ...], model: ServedModel) -> tuple[str, ...]:
    """Stop strings as the model would write them."""
    cleaned = tuple(map(model.tokenizer.clean, stops))
    if not all(cleaned):
        raise InvalidOption(
            "stop", f"stop: nothing is left of a string once it is cleaned as for {model.ref}"
        )
    return cleaned


def _sampling(asked: TextRequest, model: ServedModel, kept_seed: int) -> Sampling:
    """The request's own options before the model's, and its seed before the one of its past."""
    seed = kept_seed if asked.seed is None else asked.seed
    num_logprobs = asked.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    options = asked.options.merged(model.manifest.defaults)
    return Sampling(seed=seed, num_logprobs=num_logprobs, **dict(options))
