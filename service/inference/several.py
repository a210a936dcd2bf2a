"""Several texts of one request: written at the same time, told apart by their seeds."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.entropy import token_hex
from service.inference.chosen import ChosenText
from service.inference.delta import Delta
from service.inference.errors import InvalidOption
from service.inference.recorded import RecordedText
from service.inference.request import TextRequest
from service.inference.running import RunningText
from service.inference.usage import Usage

Text = RunningText | ChosenText | RecordedText
_News = tuple[int, Delta | Exception]


@dataclass(frozen=True, slots=True)
class WholeText:
    """One of several texts, complete.

    Attributes:
        seed: What it was drawn with: a request of its own with this seed gives the same text.
        whole: All of it.
        mean_logprob: Of its tokens, where texts are chosen by it; None also for no tokens.
    """

    seed: int
    whole: Delta
    mean_logprob: float | None = None


class SeveralTexts:
    """Texts that are being written. Read `collect` or `deltas`, and call `close` in any case.

    Attributes:
        id: For the response and the logs.
        texts: All that are written.
        model: What runs them.
        seed: Of the first one; those of the others follow from it.

    Args:
        texts: At least one.
        num_wanted: How many of them are wanted.
        shows_figures: Whether log-probabilities were asked for, beside what choosing needs.
    """

    def __init__(self, texts: Sequence[Text], num_wanted: int, *, shows_figures: bool) -> None:
        self.id = "g_" + token_hex(12)
        self.texts = texts
        self.model = texts[0].model
        self.seed = texts[0].seed
        self._num_wanted = num_wanted
        self._shows_figures = shows_figures
        self._reading: Sequence[asyncio.Task[Delta] | asyncio.Task[None]] = ()

    @property
    def usage(self) -> Usage:
        """Tokens that all of them took up to now; the prompt counts once."""
        usages = [text.usage for text in self.texts]
        return replace(
            usages[0],
            # Whoever has not read the prompt has got it from the one that did.
            cached_tokens=min(usage.cached_tokens for usage in usages),
            completion_tokens=sum(usage.completion_tokens for usage in usages),
        )

    @property
    def outcome(self) -> str:
        """For the log: why they ended, each reason once."""
        return ",".join(sorted({text.outcome for text in self.texts}))

    async def collect(self) -> list[WholeText]:
        """The texts that are wanted: all in the order of their seeds, or the best ones, best first.

        The best are those with the highest log-probability per token, as of OpenAI's `best_of`
        (https://platform.openai.com/docs/api-reference/completions/create). It is of the model's
        own distribution. A text without any token comes last.

        Raises:
            EngineError: One of them has failed; the others are given up.
        """
        collecting = [asyncio.ensure_future(text.collect()) for text in self.texts]
        self._reading = collecting
        try:
            wholes = await asyncio.gather(*collecting)
        finally:
            await self._stop_reading()
        texts = list(map(self._whole, self.texts, wholes))
        if self._num_wanted < len(texts):
            texts.sort(key=_goodness, reverse=True)  # of equal ones the first stays first
        return texts[: self._num_wanted]

    def _whole(self, text: Text, whole: Delta) -> WholeText:
        mean_logprob = None
        if self._num_wanted < len(self.texts) and whole.figures is not None and whole.figures:
            mean_logprob = float(np.mean(whole.figures.chosen_N, dtype=np.float64))
        shown = whole if self._shows_figures else replace(whole, figures=None)
        return WholeText(text.seed, shown, mean_logprob)

    async def deltas(self) -> AsyncIterator[_News]:
        """Pieces of all texts as they come, each with the number of its text.

        The last of a text has a finish reason, or is why it failed: then the others go on. Nobody
        is read ahead by more than a piece or two: a slow reader holds up the texts as it does one.
        """
        news: asyncio.Queue[_News] = asyncio.Queue(len(self.texts))
        self._reading = [
            asyncio.ensure_future(_read(text, index, news)) for index, text in enumerate(self.texts)
        ]
        num_running = len(self.texts)
        while num_running:
            index, new = await news.get()
            if isinstance(new, Exception) or new.finish_reason is not None:
                num_running -= 1
            yield index, new

    async def close(self) -> None:
        """Free all rows."""
        await self._stop_reading()
        for text in self.texts:
            await text.close()

    async def _stop_reading(self) -> None:
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


async def _read(text: Text, index: int, news: asyncio.Queue[_News]) -> None:
    try:
        async for delta in text.deltas():
            await news.put((index, delta))
    # Whatever it is, whoever reads the texts must hear of it.
    except Exception as error:  # noqa: BLE001
        await news.put((index, error))


def _goodness(text: WholeText) -> float:
    return -math.inf if text.mean_logprob is None else text.mean_logprob


def require_apart(asked: TextRequest, n: int, num_texts: int) -> None:
    """Raise InvalidOption if several texts cannot be written of what is asked for."""
    name = "n" if n > 1 else "best_of"
    if asked.session is not None:
        raise InvalidOption(
            name,
            f"{name}: a turn of a session writes one text; for several, copy the session first: "
            f"POST /sessions/{{session_id}}/fork with n",
        )
    if asked.is_streamed and num_texts > n:
        raise InvalidOption(
            "best_of", "best_of: the best are known at the end; leave out stream, or best_of"
        )
