"""A text that was written before, for a client who asks for it again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import cast

from service.inference.delta import Delta, FinishReason
from service.inference.usage import Usage
from service.models.registry import ServedModel
from service.sessions.session import Recorded


class RecordedText:
    """What `RunningText` is of a text that is being written, of a turn that was committed.

    Attributes:
        id: Of the text.
        model: What wrote it.
        session_id: Of its session.
        seed: What its tokens were drawn with.
        usage: What it took, the first time.
        outcome: One word for the log.
    """

    def __init__(self, model: ServedModel, recorded: Recorded) -> None:
        record = recorded.record
        self.id = record.generation
        self.model = model
        self.session_id: str | None = recorded.session.id
        self.seed = record.seed
        usage = json.loads(record.usage)
        unknown = usage.pop("unknown")
        self.usage = Usage(**usage, unknown=None if unknown is None else tuple(unknown))
        self.outcome = "recorded"
        self._text = record.text or ""
        self._finish_reason = cast("FinishReason", record.finish_reason)

    async def deltas(self) -> AsyncIterator[Delta]:
        """All of it as one delta."""
        yield await self.collect()

    async def collect(self) -> Delta:
        """The same."""
        return Delta(
            text=self._text,
            num_tokens=self.usage.completion_tokens,
            finish_reason=self._finish_reason,
            usage=self.usage,
        )

    async def close(self) -> None:
        """It holds nothing."""
