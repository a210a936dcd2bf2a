"""Reading a prompt: from text to token ids, and from ids to the row after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from service.engine.request import Failed, Finished
from service.engine.stream import TokenStream
from service.inference.errors import InvalidOption
from service.inference.long_work import LongWork
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row

_MAX_INLINE_CHARACTERS = 2048
_MOST_INTO_ONE = 4
"""Characters that cleaning can make one of: a letter with three marks, a line end of two."""
_MOST_UNKNOWN = 10
_CHARACTERS_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Unknown:
    """What of a prompt the model has never seen.

    Attributes:
        num_tokens: How many of its tokens stand for such characters or words; or how many
            characters were left out.
        pieces: The first 10 different ones of them; None if nobody asked.
    """

    num_tokens: int = 0
    pieces: tuple[str, ...] | None = None


class PromptEncoder:
    """Encodes prompts, long ones off the event loop.

    Args:
        max_tokens: Longest prompt.
        max_waiting_characters: Of long prompts that wait for it.

    Attributes:
        max_tokens: As above.
    """

    def __init__(self, max_tokens: int, max_waiting_characters: int) -> None:
        self.max_tokens = max_tokens
        self._too_long = f"the prompt is longer than {max_tokens} tokens"
        self._long_prompts = LongWork(
            max_waiting_characters, _CHARACTERS_PER_S, "long prompts wait to be tokenised"
        )

    async def encode(
        self,
        model: ServedModel,
        prompt: str,
        past: Row | None,
        *,
        client: str,
        report_unknown: bool = False,
        opens: bool = True,
    ) -> tuple[Int64, Unknown]:
        """What the model has to read for `prompt` after `past`, int64[T], cleaned as its text was.

        Without a past, what every text of the model begins with comes first, if `opens`.

        Raises:
            InvalidOption: The prompt is too long.
            Overloaded: Too many long prompts wait.
        """
        # Before cleaning and tokenising: a giant prompt must cost nothing.
        self._require_short(model, len(prompt) // _MOST_INTO_ONE)
        if len(prompt) <= _MAX_INLINE_CHARACTERS:
            return self._read(model, prompt, opens and past is None, report_unknown)
        work = partial(self._read, model, prompt, opens and past is None, report_unknown)
        return await self._long_prompts.run(len(prompt), client, work)

    def given(self, model: ServedModel, ids: Sequence[int], param: str = "prompt") -> Int64:
        """Ids of tokens that a client has sent, int64[T], as they are.

        Raises:
            InvalidOption: They are too many, or no ids of this model.
        """
        if len(ids) > self.max_tokens:
            raise InvalidOption(param, f"{self._too_long}: it has {len(ids)}")
        size = model.manifest.vocabulary_size
        wrong = next((token_id for token_id in ids if not 0 <= token_id < size), None)
        if wrong is not None:
            raise InvalidOption(
                param, f"{param}: {model.ref} has no token {wrong}: its ids are 0 to {size - 1}"
            )
        return np.array(ids, np.int64)

    async def decode(self, model: ServedModel, ids: Sequence[int], client: str) -> str:
        """The text of ids; of many of them off the event loop.

        Raises:
            InvalidOption: They are too many, or no ids of this model.
            Overloaded: Too much waits for the tokenizer.
        """
        self.given(model, ids, "tokens")
        if len(ids) <= _MAX_INLINE_CHARACTERS:
            return model.tokenizer.decode(ids)
        return await self._long_prompts.run(len(ids), client, partial(model.tokenizer.decode, ids))

    def _read(
        self, model: ServedModel, prompt: str, begins: bool, report_unknown: bool
    ) -> tuple[Int64, Unknown]:
        tokenizer = model.tokenizer
        text = tokenizer.clean(prompt)
        self._require_short(model, len(text))
        ids = tokenizer.encode(text)
        if len(ids) > self.max_tokens:
            raise InvalidOption("prompt", f"{self._too_long}: it has {len(ids)}")
        num_unknown = tokenizer.count_unknown(text, ids)
        pieces = None
        if report_unknown:
            pieces = tokenizer.unknown(text, _MOST_UNKNOWN) if num_unknown else ()
        if begins:
            ids = model.manifest.special_ids.opening(ids)
        return np.array(ids, np.int64), Unknown(num_unknown, pieces)

    def _require_short(self, model: ServedModel, num_characters: int) -> None:
        if num_characters > self.max_tokens * model.tokenizer.max_characters_per_token:
            raise InvalidOption("prompt", self._too_long)


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
