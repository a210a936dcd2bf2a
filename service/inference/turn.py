"""A turn: one request on a session, as a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from service.entropy import token_hex
from service.inference.usage import Usage
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.ids import pack_ids
from service.sessions.session import Back, KeptRow, Lease, TurnRecord
from service.sessions.store import SessionStore


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn came to.

    Attributes:
        row: After the last token that was shown.
        checkpoints: Earlier rows of it.
        generation: Id of the text.
        read_T: Ids of its prompt.
        written_T: Those that were shown.
        sampling: How they were drawn.
        max_tokens: How many there might have been.
        usage: What it took.
        reason: Why it ended.
    """

    row: KeptRow
    checkpoints: Sequence[KeptRow]
    generation: str
    read_T: Int64
    written_T: Int64
    sampling: Sampling
    max_tokens: int
    usage: Usage
    reason: str


class Turn:
    """Holds a session from `begin` until `commit` or `abandon`, whichever comes first.

    Attributes:
        lease: What was reserved.
        session: As it was when the turn began, and after `commit` as it is then.

    Args:
        sessions: Where it is kept.
        lease: Of the session.
        keeps_texts: Whether what is read and written is kept.
    """

    def __init__(self, sessions: SessionStore, lease: Lease, *, keeps_texts: bool) -> None:
        self.lease = lease
        self.session = lease.session
        self._sessions = sessions
        self._keeps_texts = keeps_texts
        self._prompt = ""
        self._stop: Sequence[str] = ()
        self._form: Mapping[str, object] = {}
        self._back: Back | None = None
        self._written: list[str] = []
        self._open = True

    def asks_for(
        self, prompt: str, stop: Sequence[str], form: Mapping[str, object] | None = None
    ) -> None:
        """What it reads, what ends its text, and what the text has to be; see `restricting`."""
        self._prompt, self._stop, self._form = prompt, stop, form or {}

    def goes_on_from(self, back: Back) -> None:
        """It begins at an earlier place, and what came after that is forgotten."""
        self._back = back

    def wrote(self, text: str) -> None:
        """More of its text was shown."""
        if self._keeps_texts:
            self._written.append(text)

    async def commit(self, outcome: Outcome) -> None:
        """The session goes on from where the turn ended.

        Raises:
            SessionGone: It was deleted meanwhile.
            StoreUnavailable: It cannot be kept; the session is as it was.
        """
        keeps = self._keeps_texts
        record = TurnRecord(
            generation=outcome.generation,
            num_read=len(outcome.read_T),
            num_written=len(outcome.written_T),
            seed=outcome.sampling.seed,
            options=options_of(outcome.sampling, self._stop, outcome.max_tokens, self._form),
            finish_reason=outcome.reason,
            usage=json.dumps(asdict(outcome.usage)),
            prompt=self._prompt if keeps else None,
            text="".join(self._written) if keeps else None,
            read=pack_ids(outcome.read_T) if keeps else None,
            written=pack_ids(outcome.written_T) if keeps else None,
        )
        self.session = await self._sessions.commit(
            self.lease, outcome.row, record, checkpoints=outcome.checkpoints, back=self._back
        )
        self._open = False

    async def abandon(self) -> None:
        """Leave the session as it was; harmless after a commit."""
        if self._open:
            self._open = False
            await self._sessions.release(self.lease)


def options_of(
    sampling: Sampling,
    stop: Sequence[str],
    max_tokens: int,
    form: Mapping[str, object] | None = None,
) -> str:
    """How a text was drawn, as JSON: what was not left to the usual, and what ended it."""
    options = sampling.model_dump(exclude={"seed", "num_logprobs", "rules"}, exclude_defaults=True)
    ends = {"max_tokens": max_tokens} if max_tokens else {}  # a choice has no such bound
    stops = {"stop": list(stop)} if stop else {}
    return json.dumps(options | ends | stops | dict(form or {}), ensure_ascii=False)


def counted_as_generated(row: Row, past: Row | None, generated_T: Int64) -> Row:
    """`row` with `generated_T` counted as generated after `past`, though the engine has read them.

    A text that was cut at a stop string is read again from an earlier place, which tells the
    engine nothing of who wrote it.
    """
    counts_V = np.bincount(generated_T, minlength=len(row.generated_V)).astype(np.int32)
    if past is not None:
        counts_V += past.generated_V
    return replace(row, generated_V=counts_V)


def record_of_prompt(prompt_T: Int64, prompt: str | None, seed: int) -> TurnRecord:
    """What a session has read that was made with a prompt; None if texts are not kept."""
    is_kept = prompt is not None
    return TurnRecord(
        generation="g_" + token_hex(12),
        num_read=len(prompt_T),
        num_written=0,
        seed=seed,
        options="{}",
        finish_reason="length",
        usage="{}",
        prompt=prompt,
        text="" if is_kept else None,
        read=pack_ids(prompt_T) if is_kept else None,
        written=pack_ids(prompt_T[:0]) if is_kept else None,
    )
