"""From what a client asks for to a running text: model, session, prompt, engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from weakref import WeakSet

from service.engine.request import Request
from service.entropy import randbits
from service.inference.accounts import Accounts, Ticket
from service.inference.capsules import Capsules
from service.inference.choosing import Choosing, encoded_choices
from service.inference.chosen import ChosenText
from service.inference.deadline import Deadline
from service.inference.drawing import cleaned_stops, require_clampable, salt_of, sampling_of
from service.inference.identity import ANYBODY, Identity
from service.inference.observer import TextObserver, Witness
from service.inference.origin import Origin, Origins
from service.inference.reading import PromptEncoder, Unknown, read_row
from service.inference.receipts import ReceiptWriter
from service.inference.recorded import RecordedText
from service.inference.request import SEED_BITS, RequestLimits, TextRequest
from service.inference.restricting import automaton_of, form_of, require_whole_meaning
from service.inference.running import RunningText
from service.inference.scoring import Scoring
from service.inference.seeds import for_text
from service.inference.session_work import SessionWork
from service.inference.several import SeveralTexts, Text, require_apart
from service.inference.text import TextAssembler
from service.inference.turn import record_of_prompt
from service.inference.turnstile import Turnstile
from service.models.live import LiveModels
from service.models.registry import ModelRegistry, ServedModel
from service.patterns.compiler import PatternCompiler
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.session import Session
from service.sessions.store import SessionStore

_ROWS_EVERY_WITH_STOPS = 32
"""Tokens: more would be read again to go back to a stop string, or held unread."""


class Inference:
    """Starts texts and sessions on the models that are served."""

    def __init__(
        self,
        live: LiveModels,
        sessions: SessionStore,
        limits: RequestLimits,
        capsule_keys: Mapping[str, bytes] | None = None,
        capsule_ttl_s: float = 1,
        observer: TextObserver | None = None,
        compiler: PatternCompiler | None = None,
    ) -> None:
        self.live = live
        self.sessions = sessions
        self._observer = observer
        self.accounts = Accounts(limits.max_result_bytes)
        self.turnstile = Turnstile()
        self.capsules = Capsules(capsule_keys or {}, capsule_ttl_s, self.turnstile)
        self.running: WeakSet[RunningText] = WeakSet()
        self.limits = limits
        self.prompts = PromptEncoder(limits.max_prompt_tokens, limits.max_waiting_characters)
        self.scoring = Scoring(live, self.accounts, self.prompts, limits, self.turnstile)
        self.session_work = SessionWork(live, sessions, self.accounts, self.prompts, limits)
        self._origins = Origins(live, sessions, self.capsules, self.session_work, limits)
        self._compiler = compiler

    @property
    def models(self) -> ModelRegistry:
        """What is served now."""
        return self.live.current

    async def start(self, asked: TextRequest) -> Text:
        """Start a text; it comes out of `deltas`, and `close` must follow.

        A turn of a session that was committed before, and is asked for again by its idempotency
        key, is not written again.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, SessionError, CapsuleError, EngineError:
                Nothing has changed.
        """
        [text] = await self._start(asked, 1)
        return text

    async def start_several(
        self,
        asked: TextRequest,
        *,
        n: int,
        best_of: int | None = None,
        deadline: Deadline | None = None,
    ) -> SeveralTexts:
        """Start `best_of` texts with one prompt, which is read once; the `n` best are wanted.

        Text `i` is drawn with `seed_of(seed, i)`. `close` must follow. With a `deadline` they are
        some of the texts of a request that has it, and not a request of their own.

        Raises:
            InvalidOption and others: As above; no text was started.
        """
        num_texts = self.limits.num_texts(n, best_of)
        if num_texts > 1:
            require_apart(asked, n, num_texts)
        chooses = num_texts > n
        with_figures = replace(asked, logprobs=0) if chooses and asked.logprobs is None else asked
        texts = await self._start(with_figures, num_texts, deadline)
        return SeveralTexts(texts, n, shows_figures=asked.logprobs is not None)

    async def _start(
        self, asked: TextRequest, num_texts: int, deadline: Deadline | None = None
    ) -> Sequence[Text]:
        """Start so many texts that differ by their seeds, or none of them."""
        witnesses = [Witness(self._observer) for _ in range(num_texts)]
        if asked.idempotency is not None:
            asked.require_recordable(keeps_texts=self.limits.keep_session_texts)
        asked.require_told_whole()
        if asked.return_capsule:
            self.capsules.require()
        deadline = deadline or Deadline.after(self.limits.timeout_s(asked.timeout_s))
        most_tokens = self.limits.num_tokens(asked.max_tokens)
        tickets = self.accounts.accept_all(
            asked.num_result_bytes(most_tokens), num_texts, asked.identity.allowance, most_tokens
        )
        turn = None
        try:
            # What need not wait takes no timer: each by itself, and not all of it as a block.
            origin = await deadline.bound(self._origins.of(asked, deadline))
            if isinstance(origin, RecordedText):
                _close(tickets)
                return [origin]
            asked, model, turn = origin.asked, origin.model, origin.turn
            require_whole_meaning(asked)
            require_clampable(asked, model, self.limits.max_clamps)
            stop = cleaned_stops(asked.stop or (), model)
            if turn:
                turn.asks_for(asked.prompt, stop, form_of(asked))
            prompt_T, unknown = await deadline.bound(self._prompt(origin))
            automaton = await deadline.bound(automaton_of(asked, model, self._compiler))
            choices = await deadline.bound(
                encoded_choices(
                    model, self.prompts, self.turnstile, asked.choices, asked.identity.client
                )
            )
            num_before = len(prompt_T) + (origin.past.num_tokens if origin.past else 0)
            max_tokens = self.limits.num_tokens(asked.max_tokens)
            rules = asked.tokens.rules(model, num_before, max_tokens)
            request = Request(
                prompt_T=prompt_T,
                max_tokens=max_tokens,
                sampling=sampling_of(asked, model, origin.seed, rules),
                timeout_s=deadline.time_left_s,
                past=origin.past,
                return_row=turn is not None or asked.wants_end,
                rows_every=self._rows_every(asked, is_turn=turn is not None),
                client=asked.identity.client,
                cache_salt=salt_of(asked),
                automaton=automaton,
            )
            requests = [for_text(request, index) for index in range(num_texts)]
            if choices:
                choosing = Choosing(model, request, choices, deadline)
                return [
                    ChosenText(
                        model=model,
                        request=request,
                        choosing=choosing,
                        unknown=unknown,
                        tells=asked.tells_choices,
                        turn=turn,
                        ticket=ticket,
                        witness=witness,
                        seal=self._seal(origin, request) if asked.return_capsule else None,
                    )
                    for request, ticket, witness in zip(requests, tickets, witnesses, strict=True)
                ]
            streams = model.engine.submit_all(requests)
        except BaseException:
            _close(tickets)
            if turn:
                await turn.abandon()
            raise
        texts = [
            RunningText(
                model=model,
                request=request,
                stream=stream,
                unknown=unknown,
                assembler=TextAssembler(
                    model.tokenizer.incremental(), stop, asked.tokens.stop_token_ids
                ),
                stream_every=asked.stream_every,
                turn=turn,
                checkpoint_every=self.limits.checkpoint_every,
                ticket=ticket,
                turnstile=self.turnstile,
                witness=witness,
                seal=self._seal(origin, request) if asked.return_capsule else None,
                receipt=self._receipt(model, request, stop) if asked.receipt else None,
            )
            for request, stream, ticket, witness in zip(
                requests, streams, tickets, witnesses, strict=True
            )
        ]
        self.running.update(texts)
        return texts

    async def _prompt(self, origin: Origin) -> tuple[Int64, Unknown]:
        """What is to be read, and what of it the model has never seen."""
        if origin.prompt_T is not None:
            return origin.prompt_T, Unknown()
        asked = origin.asked
        if asked.prompt_ids:
            return self.prompts.given(origin.model, asked.prompt_ids), Unknown()
        return await self.prompts.encode(
            origin.model,
            asked.prompt,
            origin.past,
            client=asked.identity.client,
            report_unknown=asked.report_unknown,
        )

    def _receipt(self, model: ServedModel, request: Request, stop: Sequence[str]) -> ReceiptWriter:
        return ReceiptWriter(model, request, stop, self.turnstile)

    def _seal(self, origin: Origin, request: Request) -> Callable[[Row], Awaitable[str]]:
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
        deadline = Deadline.after(self.limits.max_timeout_s)
        served = self.models.resolve(model)
        seed = randbits(SEED_BITS) if seed is None else seed
        ticket = self.accounts.accept(0, identity.allowance)
        try:
            row, record, unknown = None, None, Unknown(pieces=() if report_unknown else None)
            if prompt:
                async with deadline.bounding():
                    prompt_T, unknown = await self.prompts.encode(
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
                ticket.num_tokens = len(prompt_T)
                row = await read_row(served.engine.submit(request))
                kept = prompt if self.limits.keep_session_texts else None
                record = record_of_prompt(prompt_T, kept, seed)
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
        return self.limits.checkpoint_every if is_turn else 0


def _close(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        ticket.close()
