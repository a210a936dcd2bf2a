"""A look inside of a model: what it computes while it reads a text, and which units react to what.

The engine has no part in it: a second session of the same graph reads the text in a thread, and
rows that are running go on as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from service.inference.accounts import Accounts, Ticket
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.figures import TokenFigures
from service.inference.identity import Identity
from service.inference.inspected import (
    Activation,
    Inspection,
    ReadText,
    Wanted,
    chosen_units,
    names_of,
)
from service.inference.long_work import LongWork
from service.inference.request import RequestLimits
from service.inference.units import Asked, Reacting, require_spans, score_units, target_of
from service.models.live import LiveModels
from service.models.registry import ServedModel
from service.rows.arrays import Float32
from service.runtime.logprobs import logprobs

_T = TypeVar("_T")
_CHARACTERS_PER_S = 3_000
_MOST_INTO_ONE = 4
_VALUE_BYTES = 4
_TOKEN_BYTES = 24
_CANDIDATE_BYTES = 12


@dataclass(frozen=True, slots=True)
class InspectLimits:
    """What bounds a look: tokens of a text, values that are told, characters that wait."""

    max_tokens: int
    max_values: int
    max_waiting_characters: int


class Inspecting:
    """Looks inside of the models that are served; shares the accounts of `Inference`."""

    def __init__(
        self,
        live: LiveModels,
        accounts: Accounts,
        requests: RequestLimits,
        limits: InspectLimits,
    ) -> None:
        self._live = live
        self._accounts = accounts
        self._requests = requests
        self._limits = limits
        self._work = LongWork(
            limits.max_waiting_characters, _CHARACTERS_PER_S, "texts wait to be looked into"
        )

    async def inspect(
        self,
        text: str,
        wanted: Sequence[Wanted],
        *,
        model: str | None,
        num_top: int,
        timeout_s: float | None,
        identity: Identity,
    ) -> Inspection:
        """Read a text, and tell its tokens' probabilities and what units were after each of them.

        Args:
            text: What to read, from the start state.
            wanted: The activations.
            model: `name` or `name@version`.
            num_top: Report so many of the best candidates at each token's place.
            timeout_s: Time for all of it.
            identity: Who asks.

        Raises:
            InvalidOption: The text is too long, or something that is wanted is not there.
            ModelUnknown, ModelBroken, EngineError: It cannot be read now.
        """
        served = self._live.current.resolve(model)
        most_tokens = min(len(text) * _MOST_INTO_ONE + 1, self._limits.max_tokens)
        num_bytes = most_tokens * (_TOKEN_BYTES + num_top * _CANDIDATE_BYTES)
        num_bytes += self._limits.max_values * _VALUE_BYTES if wanted else 0
        work = partial(self._inspect, served, text, wanted, num_top)
        ticket, (read, figures, available, activations) = await self._in_turn(
            work, text, num_bytes, timeout_s, identity
        )
        ticket.num_tokens = len(read.id_T)
        ticket.finish()
        return Inspection(served, read, figures, available, activations, ticket)

    async def rank(
        self,
        text: str,
        asked: Asked,
        *,
        model: str | None,
        timeout_s: float | None,
        identity: Identity,
    ) -> Reacting:
        """Read a text, and find the units that tell most of a mark.

        Args:
            text: What to read, from the start state.
            asked: The mark, the activations and the score.
            model: `name` or `name@version`.
            timeout_s: Time for all of it.
            identity: Who asks.

        Raises:
            InvalidOption: The text is too long, or there is nothing to tell apart in it.
            ModelUnknown, ModelBroken, EngineError: It cannot be read now.
        """
        served = self._live.current.resolve(model)
        work = partial(self._rank, served, text, asked)
        ticket, reacting = await self._in_turn(work, text, 0, timeout_s, identity)
        ticket.num_tokens = reacting.num_tokens
        ticket.close()
        return reacting

    async def _in_turn(
        self,
        work: Callable[[], _T],
        text: str,
        num_bytes: int,
        timeout_s: float | None,
        identity: Identity,
    ) -> tuple[Ticket, _T]:
        deadline = Deadline.after(self._requests.timeout_s(timeout_s))
        ticket = self._accounts.accept(num_bytes, identity.allowance)
        try:
            async with deadline.bounding():
                return ticket, await self._work.run(len(text), identity.client, work)
        except BaseException:
            ticket.close()
            raise

    def _inspect(
        self, model: ServedModel, text: str, wanted: Sequence[Wanted], num_top: int
    ) -> tuple[ReadText, TokenFigures, Mapping[str, int], Sequence[Activation]]:
        recorder = model.inside.recorder()
        read = self._read(model, text)
        chosen = chosen_units(recorder, wanted)
        self._require_tellable(len(read.id_T) * sum(map(len, chosen.values())))
        values: dict[str, list[Float32]] = {name: [] for name in chosen}
        figures: list[TokenFigures] = []
        id_T = read.opened(model)
        start, first = 0, read.opening
        for piece in recorder.read(id_T, chosen):
            for name, units in chosen.items():
                values[name].append(piece.activations[name][first:, units])
            first = 0
            # What the logits after a token tell of is the next one.
            next_T = id_T[start + 1 : start + 1 + len(piece.logits_TV)]
            told = logprobs(piece.logits_TV[: len(next_T)], next_T, num_top)
            figures.append(TokenFigures(next_T, *told))
            start += len(piece.logits_TV)
        activations = [
            Activation(name, tuple(units), np.concatenate(values[name]))
            for name, units in chosen.items()
        ]
        return read, TokenFigures.joined(figures), recorder.widths, activations

    def _rank(self, model: ServedModel, text: str, asked: Asked) -> Reacting:
        recorder = model.inside.recorder()
        read = self._read(model, text)
        if asked.spans is not None:
            require_spans(asked.spans, text, read.text)
        target_T = target_of(asked, read.text, read.spans)
        names = names_of(recorder, asked.activations)
        pieces = recorder.read(read.opened(model), names)
        return score_units(model.ref, asked, recorder.widths, names, pieces, target_T, read.opening)

    def _read(self, model: ServedModel, text: str) -> ReadText:
        most = self._limits.max_tokens
        too_long = f"text: at most {most} tokens can be looked into"
        longest = most * model.tokenizer.max_characters_per_token
        if len(text) > longest * _MOST_INTO_ONE:
            raise InvalidOption("text", too_long)
        cleaned = model.tokenizer.clean(text)
        if len(cleaned) > longest:
            raise InvalidOption("text", too_long)
        ids, spans = model.tokenizer.encode_in_place(cleaned)
        if len(ids) > most:
            raise InvalidOption("text", f"{too_long}: it has {len(ids)}")
        if not ids:
            raise InvalidOption("text", "text: the model would read nothing of it")
        return ReadText(
            cleaned,
            np.array(ids, np.int64),
            spans,
            int(model.manifest.special_ids.start_before_prompt),
            model.tokenizer.count_unknown(cleaned, ids),
        )

    def _require_tellable(self, num_values: int) -> None:
        most = self._limits.max_values
        if num_values > most:
            raise InvalidOption(
                "activations",
                f"activations: these are {num_values} values, tokens times units; "
                f"at most {most} are told",
            )
