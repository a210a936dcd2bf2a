"""Reading a prompt: from text to token ids, and from ids to the row after them."""

from __future__ import annotations

from functools import partial

import numpy as np

from service.engine.request import Failed, Finished
from service.engine.stream import TokenStream
from service.inference.errors import InvalidOption
from service.inference.tokenising import LongPrompts
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row

_MAX_INLINE_CHARACTERS = 2048


class PromptEncoder:
    """Encodes prompts, long ones off the event loop.

    Args:
        max_tokens: Longest prompt.
        max_waiting_characters: Of long prompts that wait for it.
    """

    def __init__(self, max_tokens: int, max_waiting_characters: int) -> None:
        self._max_tokens = max_tokens
        self._too_long = f"the prompt is longer than {max_tokens} tokens"
        self._long_prompts = LongPrompts(max_waiting_characters)

    async def encode(self, model: ServedModel, prompt: str, past: Row | None, client: str) -> Int64:
        """What the model has to read for `prompt` after `past`, int64[T].

        Raises:
            InvalidOption: The prompt is too long.
            Overloaded: Too many long prompts wait.
        """
        # Before tokenising: a giant prompt must cost nothing.
        if len(prompt) > self._max_tokens * model.tokenizer.max_characters_per_token:
            raise InvalidOption("prompt", self._too_long)
        if len(prompt) <= _MAX_INLINE_CHARACTERS:
            return self._ids(model, prompt, begins=past is None)
        work = partial(self._ids, model, prompt, begins=past is None)
        return await self._long_prompts.run(len(prompt), client, work)

    def _ids(self, model: ServedModel, prompt: str, *, begins: bool) -> Int64:
        ids = model.tokenizer.encode(prompt)
        if len(ids) > self._max_tokens:
            raise InvalidOption("prompt", f"{self._too_long}: it has {len(ids)}")
        if begins:
            ids = model.manifest.special_ids.opening(ids)
        return np.array(ids, np.int64)


async def read_row(stream: TokenStream) -> Row:
    """Wait for a request that only reads; returns the row at its end.

    Raises:
        EngineError: It has failed.
    """
    try:
        event = await stream.next()
    finally:
        stream.close()
    match event:
        case Finished(row=Row() as row):
            return row
        case Failed(error):
            raise error
        case _:
            raise AssertionError(f"a request that only reads got {event}")
