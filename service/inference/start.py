"""From what a client asks for to a running text: model, session, prompt, engine."""

from __future__ import annotations

from service.engine.request import Request
from service.entropy import randbits, token_hex
from service.inference.accounts import Accounts
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.identity import ANYBODY, Identity
from service.inference.reading import PromptEncoder, Unknown, read_row
from service.inference.recorded import RecordedText
from service.inference.request import SEED_BITS, RequestLimits, TextRequest
from service.inference.running import RunningText
from service.inference.session_work import COMMIT_S, SessionWork
from service.inference.turn import Turn
from service.inference.turnstile import Turnstile
from service.models.registry import ModelRegistry, ServedModel
from service.runtime.sampling import Sampling
from service.sessions.ids import pack_ids
from service.sessions.session import Recorded, Session, SessionKey, TurnRecord
from service.sessions.store import SessionStore

_ROWS_EVERY_WITH_STOPS = 32
"""Tokens: more would be read again to go back to a stop string, or held unread."""


class Inference:
    """Starts texts and sessions on the models that are served."""

    def __init__(
        self, models: ModelRegistry, sessions: SessionStore, limits: RequestLimits
    ) -> None:
        self.models = models
        self.sessions = sessions
        self.accounts = Accounts(limits.max_result_bytes)
        self.turnstile = Turnstile()
        self._limits = limits
        self._prompts = PromptEncoder(limits.max_prompt_tokens, limits.max_waiting_characters)
        self.session_work = SessionWork(models, sessions, self.accounts, self._prompts, limits)

    async def start(self, asked: TextRequest) -> RunningText | RecordedText:
        """Start a text; it comes out of `deltas`, and `close` must follow.

        A turn of a session that was committed before, and is asked for again by its idempotency
        key, is not written again.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, SessionError, EngineError: Nothing has
                changed.
        """
        if asked.idempotency is not None:
            self._require_recordable(asked)
        max_tokens = self._limits.num_tokens(asked.max_tokens)
        deadline = Deadline.after(self._limits.timeout_s(asked.timeout_s))
        ticket = self.accounts.accept(asked.num_result_bytes(max_tokens))
        turn = None
        try:
            async with deadline.bounding():
                if asked.session is not None:
                    key = SessionKey(asked.identity.owner, asked.session)
                    lease_s = deadline.time_left_s + COMMIT_S
                    lease = await self.sessions.begin(
                        key,
                        lease_s=lease_s,
                        version=asked.session_version,
                        idempotency=asked.idempotency,
                    )
                    if isinstance(lease, Recorded):
                        ticket.close()
                        return RecordedText(self._model_of(asked.model, lease.session), lease)
                    keeps = self._limits.keep_session_texts
                    turn = Turn(self.sessions, lease, keeps_texts=keeps)
                session = turn.session if turn else None
                model = self._model_of(asked.model, session)
                past, prompt_T = model.row_of(turn.lease) if turn else None, None
                if turn and asked.again:
                    again = await self.session_work.again(turn.session, asked.identity, deadline)
                    asked, past, prompt_T = again.asked(asked), again.row, again.prompt_T
                    turn.goes_on_from(again.back)
                    max_tokens = self._limits.num_tokens(asked.max_tokens)
                stop = _cleaned(asked.stop or (), model)
                if turn:
                    turn.asks_for(asked.prompt, stop)
                unknown = Unknown()
                if prompt_T is None:
                    prompt_T, unknown = await self._prompts.encode(
                        model,
                        asked.prompt,
                        past,
                        client=asked.identity.client,
                        report_unknown=asked.report_unknown,
                    )
            request = Request(
                prompt_T=prompt_T,
                max_tokens=max_tokens,
                sampling=_sampling(asked, model, session),
                timeout_s=deadline.time_left_s,
                past=past,
                return_row=turn is not None,
                rows_every=self._rows_every(asked) if turn else 0,
                client=asked.identity.client,
                cache_salt=asked.identity.owner,
            )
            stream = model.engine.submit(request)
        except BaseException:
            ticket.close()
            if turn:
                await turn.abandon()
            raise
        return RunningText(
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
        )

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

    def _rows_every(self, asked: TextRequest) -> int:
        """Tokens between rows of a session's turn: a stop string is gone back to at once."""
        return _ROWS_EVERY_WITH_STOPS if asked.stop else self._limits.checkpoint_every

    def _require_recordable(self, asked: TextRequest) -> None:
        if asked.session is None:
            raise InvalidOption("Idempotency-Key", "Idempotency-Key is for turns of a session")
        if asked.logprobs is not None:
            raise InvalidOption("logprobs", "logprobs are not recorded with an Idempotency-Key")
        if not self._limits.keep_session_texts:
            raise InvalidOption("Idempotency-Key", "this server keeps no texts of sessions")

    def _model_of(self, name: str | None, session: Session | None) -> ServedModel:
        if session is None:
            return self.models.resolve(name)
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


def _sampling(asked: TextRequest, model: ServedModel, session: Session | None) -> Sampling:
    """The request's own options before the model's."""
    seed = asked.seed
    if seed is None:
        seed = session.seed if session else randbits(SEED_BITS)
    num_logprobs = asked.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    options = asked.options.merged(model.manifest.defaults)
    return Sampling(seed=seed, num_logprobs=num_logprobs, **dict(options))
