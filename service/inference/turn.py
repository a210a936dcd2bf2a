"""A turn: one request on a session, as a transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from service.inference.request import TextRequest
from service.inference.usage import Usage
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.session import KeptRow, Lease, TurnRecord
from service.sessions.store import SessionStore


class Turn:
    """Holds a session from `begin` until `commit` or `abandon`, whichever comes first.

    Attributes:
        lease: What was reserved.
        session: As it was when the turn began, and after `commit` as it is then.

    Args:
        sessions: Where it is kept.
        lease: Of the session.
        asked: What the turn is; its texts are kept if `keeps_texts`.
    """

    def __init__(
        self, sessions: SessionStore, lease: Lease, asked: TextRequest, *, keeps_texts: bool
    ) -> None:
        self.lease = lease
        self.session = lease.session
        self._sessions = sessions
        self._asked = asked
        self._keeps_texts = keeps_texts
        self._written: list[str] = []
        self._open = True

    def wrote(self, text: str) -> None:
        """More of its text was shown."""
        if self._keeps_texts:
            self._written.append(text)

    async def commit(
        self, row: KeptRow, *, generation: str, sampling: Sampling, usage: Usage, reason: str
    ) -> None:
        """The session goes on from `row`.

        Args:
            row: After the last token that was shown.
            generation: Id of the text.
            sampling: How it was drawn.
            usage: What it took.
            reason: Why it ended.

        Raises:
            SessionGone: It was deleted meanwhile.
            StoreUnavailable: It cannot be kept; the session is as it was.
        """
        record = TurnRecord(
            generation=generation,
            num_read=usage.prompt_tokens,
            num_written=row.num_tokens - self.session.num_tokens - usage.prompt_tokens,
            seed=sampling.seed,
            options=options_of(sampling, self._asked.stop),
            finish_reason=reason,
            usage=json.dumps(asdict(usage)),
            prompt=self._asked.prompt if self._keeps_texts else None,
            text="".join(self._written) if self._keeps_texts else None,
        )
        self.session = await self._sessions.commit(self.lease, row, record)
        self._open = False

    async def abandon(self) -> None:
        """Leave the session as it was; harmless after a commit."""
        if self._open:
            self._open = False
            await self._sessions.release(self.lease)


def options_of(sampling: Sampling, stop: Sequence[str]) -> str:
    """How a text was drawn, as JSON: what was not left to the usual, and stop strings."""
    options = sampling.model_dump(exclude={"seed", "num_logprobs"}, exclude_defaults=True)
    return json.dumps(options | ({"stop": list(stop)} if stop else {}), ensure_ascii=False)


def counted_as_generated(row: Row, past: Row | None, generated_T: Int64) -> Row:
    """`row` with `generated_T` counted as generated after `past`, though the engine has read them.

    A text that was cut at a stop string is read again from where the turn began, which tells the
    engine nothing of who wrote it.
    """
    counts_V = np.bincount(generated_T, minlength=len(row.generated_V)).astype(np.int32)
    if past is not None:
        counts_V += past.generated_V
    return replace(row, generated_V=counts_V)
