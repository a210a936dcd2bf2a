"""How probable some texts are after one past, which is read once: those that may be chosen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from service.engine.observer import Timings
from service.engine.request import Chunk, Failed, Finished, Request
from service.engine.stream import TokenStream
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.reading import PromptEncoder, read_row
from service.inference.turnstile import Turnstile
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling

Float64 = npt.NDArray[np.float64]
_AT_ONCE = 32
"""Choices of one request that are in the engine: the others would keep other clients' out."""
# What it takes of the event loop to make tokens of a choice, and of a character of it, about.
_CHOICE_S = 0.0003
_CHARACTER_S = 5e-7


@dataclass(frozen=True, slots=True)
class EncodedChoice:
    """A choice, as the client and as the model has it."""

    text: str
    id_T: Int64


@dataclass(frozen=True, slots=True)
class ReadChoice:
    """A choice that was read: its log-probability, and the row after it."""

    logprob: float
    row: Row


async def encoded_choices(
    model: ServedModel,
    prompts: PromptEncoder,
    turnstile: Turnstile,
    choices: Sequence[str],
    client: str,
) -> list[EncodedChoice]:
    """The tokens of each choice; as of a text that a session reads on.

    Raises:
        InvalidOption: The model cannot write one of them, or two are the same to it.
    """
    encoded: dict[tuple[int, ...], EncodedChoice] = {}
    for n, choice in enumerate(choices):
        await turnstile.enter(_CHOICE_S + len(choice) * _CHARACTER_S, client)
        id_T, unknown = await prompts.encode(model, choice, None, client=client, opens=False)
        if unknown.num_tokens or not len(id_T):
            reason = "characters or words that the model has never seen" if len(id_T) else "no text"
            raise InvalidOption("choices", f"choices[{n}] holds {reason}, so it is never written")
        key = tuple(id_T.tolist())
        if key in encoded:
            raise InvalidOption("choices", f"choices[{n}] is to the model what an earlier one is")
        encoded[key] = EncodedChoice(choice, id_T)
    return list(encoded.values())


class Choosing:
    """Reads a prompt, and then each choice from the row after it; once, for several texts.

    Args:
        model: What reads.
        request: Of the prompt; its options are those of the draw.
        choices: At least one.
        deadline: Of all of it: choices are read in waves, and each has what is left of the time.

    Attributes:
        choices: As above.
        num_cached: Tokens of the prompt that were not read again.

    Raises:
        EngineError: The prompt cannot be read now.
    """

    def __init__(
        self,
        model: ServedModel,
        request: Request,
        choices: Sequence[EncodedChoice],
        deadline: Deadline,
    ) -> None:
        self.choices = choices
        self._deadline = deadline
        self._model, self._request = model, request
        self._prompt: TokenStream | None = None
        if len(request.prompt_T):
            reading = replace(request, max_tokens=0, return_row=True, rows_every=0, automaton=None)
            self._prompt = model.engine.submit(reading)
        self._began_s = time.monotonic()
        self._reading: asyncio.Task[list[ReadChoice]] | None = None

    @property
    def num_cached(self) -> int:
        """Tokens of the prompt that were not read again."""
        return self._prompt.num_cached if self._prompt else 0

    @property
    def timings(self) -> Timings:
        """Of the prompt."""
        return self._prompt.timings if self._prompt else Timings(self._began_s)

    async def read(self) -> list[ReadChoice]:
        """What the model makes of each choice.

        Raises:
            EngineError: One of them cannot be read now.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read_all())
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Nobody needs it any more."""
        if self._prompt is not None:
            self._prompt.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read_all(self) -> list[ReadChoice]:
        past = self._request.past
        if self._prompt is not None:
            past = await read_row(self._prompt)
        door = asyncio.Semaphore(_AT_ONCE)

        async def read(choice: EncodedChoice) -> ReadChoice:
            async with door:
                return await self._read_choice(choice.id_T, past)

        reading = [asyncio.ensure_future(read(choice)) for choice in self.choices]
        try:
            return await asyncio.gather(*reading)
        finally:
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def _read_choice(self, id_T: Int64, past: Row | None) -> ReadChoice:
        stream = self._model.engine.submit(
            replace(
                self._request,
                prompt_T=id_T,
                max_tokens=0,
                timeout_s=self._deadline.time_left_s,
                sampling=Sampling(seed=0, num_logprobs=0),
                past=past,
                return_row=True,
                rows_every=0,
                reports_read=True,
            )
        )
        logprob = 0.0
        try:
            while True:
                match await stream.next():
                    case Chunk(logprobs=logprobs) if logprobs is not None:
                        logprob += float(logprobs.chosen_N.sum(dtype=np.float64))
                    case Finished(row=Row() as row):
                        return ReadChoice(logprob, row)
                    case Failed(error):
                        raise error
        finally:
            stream.close()


def probabilities(logprob_N: Sequence[float], temperature: float) -> Float64:
    """With which choices are drawn whose tokens have these log-probabilities: float64[N].

    The softmax of the sums, divided by the temperature: at 1 the model's own distribution of texts,
    given that the text is one of these. So choices were compared by Brown et al., "Language Models
    are Few-Shot Learners" (2020), section 2.4, without their division by length. Temperature 0 is
    the most probable, of equal ones the first.
    """
    logprobs = np.array(logprob_N, np.float64)
    if temperature == 0:
        best: Float64 = (np.arange(len(logprobs)) == logprobs.argmax()).astype(np.float64)
        return best
    with np.errstate(over="ignore", under="ignore"):  # of a tiny temperature
        weights = np.exp((logprobs - logprobs.max()) / temperature)
    probability_N: Float64 = weights / weights.sum()
    return probability_N
