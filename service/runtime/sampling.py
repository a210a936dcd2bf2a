"""How texts are drawn: the options of one text, and the table of many.

A new option is a field of `SamplingOptions`, a line of `COLUMNS`, and its nodes in `sampler_graph`
and `reference.sampler`. Requests, manifests, the table and the graph's inputs follow from these;
the line's `kind` says which branch of the graph a row takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.rows.arrays import Bool, Float32, Int64
from service.runtime.clamps import Clamp
from service.runtime.options import NO_OPTIONS as NO_OPTIONS
from service.runtime.options import SamplingOptions as SamplingOptions
from service.runtime.rules import TokenRules

NO_LOGPROBS = -1
"""In `SamplingTable.num_logprobs_B`: the row asks for none."""


Kind = Literal["scales", "truncates", "penalises"]
"""What an option does when it is on; see `Column`."""


class Sampling(SamplingOptions):
    """How one request draws its tokens; without options, from the model's own distribution.

    Attributes:
        seed: With the position in the text, decides every draw.
        num_logprobs: Report the chosen token's log-probability and this many of the best; None: no.
        rules: About single ids; None: none.
        clamps: Units that are held at a value meanwhile.
    """

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    num_logprobs: Annotated[int, Field(ge=0)] | None = None
    rules: TokenRules | None = None
    clamps: tuple[Clamp, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether tokens are drawn among all ids, as they are at the temperature.

        Not where an option is on that only happens to leave nothing out; see `plain_B`.
        """
        others = [name for name, column in COLUMNS.items() if column.kind != "scales"]
        is_off = all(getattr(self, name) in (None, COLUMNS[name].neutral) for name in others)
        is_greedy = self.temperature is not None and np.float32(self.temperature) == 0
        return is_off and not is_greedy and self.rules is None

    def require_free(self) -> None:
        """Raise ValueError if units are to be held."""
        if self.clamps:
            raise ValueError("this decoder holds no units")


@dataclass(frozen=True, slots=True)
class Column:
    """How an option lies in the table.

    Attributes:
        dtype: Element type of the column, and of the graph's input.
        neutral: Stands for an option that is off.
        kind: What it does when it is on: scales all logits, leaves improbable ids out, or changes
            the logits of ids that the text holds.
        clamp: From a value and the vocabulary size to the value that is computed with.
    """

    dtype: type[np.float32] | type[np.int64]
    neutral: float
    kind: Kind
    clamp: Callable[[float, int], float] = lambda value, _: value

    def value(self, given: float | None, vocabulary_size: int) -> float:
        """What stands in the table for `given`."""
        return self.clamp(self.neutral if given is None else given, vocabulary_size)


# The extremes of a float64 would be 0 or infinite as a float32.
_TINY, _HUGE = 1e-30, 1e30

COLUMNS: Mapping[str, Column] = {
    "temperature": Column(np.float32, 1.0, "scales"),
    "top_k": Column(np.int64, math.inf, "truncates", min),
    "top_p": Column(np.float32, 1.0, "truncates", lambda p, _: max(p, _TINY)),
    "min_p": Column(np.float32, 0.0, "truncates"),
    "repetition_penalty": Column(
        np.float32, 1.0, "penalises", lambda r, _: min(max(r, _TINY), _HUGE)
    ),
    "presence_penalty": Column(np.float32, 0.0, "penalises"),
    "frequency_penalty": Column(np.float32, 0.0, "penalises"),
}
"""One column for each of the `SamplingOptions`."""


def options_that(kind: Kind) -> list[str]:
    """The names of the options of one kind."""
    return [name for name, column in COLUMNS.items() if column.kind == kind]


@dataclass(frozen=True, slots=True)
class SamplingTable:
    """The `Sampling` of B rows.

    Attributes:
        seed_B: uint64[B].
        num_logprobs_B: int64[B]; NO_LOGPROBS where none are asked for.
        plain_B: bool[B]: whether it draws among all ids, as they are at its temperature: what most
            rows do, and so what a burst can be told in one look.
        option_B: A column for each option, by its name; see `COLUMNS`.
    """

    seed_B: npt.NDArray[np.uint64]
    num_logprobs_B: Int64
    plain_B: Bool
    option_B: Mapping[str, npt.NDArray[Any]]

    @classmethod
    def neutral(cls, num_rows: int, vocabulary_size: int) -> SamplingTable:
        """A table of rows that draw from the model's own distribution."""
        return cls(
            seed_B=np.zeros(num_rows, np.uint64),
            num_logprobs_B=np.full(num_rows, NO_LOGPROBS, np.int64),
            plain_B=np.ones(num_rows, np.bool_),
            option_B={
                name: np.full(num_rows, column.value(None, vocabulary_size), column.dtype)
                for name, column in COLUMNS.items()
            },
        )

    def put(self, row: int, sampling: Sampling, vocabulary_size: int) -> None:
        """Write one request's options into `row`."""
        self.seed_B[row] = sampling.seed
        num_logprobs = sampling.num_logprobs
        self.num_logprobs_B[row] = NO_LOGPROBS if num_logprobs is None else num_logprobs
        for name, column in COLUMNS.items():
            self.option_B[name][row] = column.value(getattr(sampling, name), vocabulary_size)
        # As they are in the table: the smallest numbers are 0 there.
        self.plain_B[row] = self["temperature"][row] != 0 and all(
            self[name][row] == column.value(None, vocabulary_size)
            for name, column in COLUMNS.items()
            if column.kind != "scales"
        )

    def take(self, rows: Int64 | Bool | slice) -> SamplingTable:
        """A table with `rows` only."""
        return SamplingTable(
            self.seed_B[rows],
            self.num_logprobs_B[rows],
            self.plain_B[rows],
            {name: column_B[rows] for name, column_B in self.option_B.items()},
        )

    def __getitem__(self, option: str) -> npt.NDArray[Any]:
        return self.option_B[option]

    @property
    def greedy_B(self) -> Bool:  # noqa: N802
        """Rows that take the most probable id."""
        greedy_B: Bool = self["temperature"] == 0
        return greedy_B

    @property
    def divisor_B(self) -> Float32:  # noqa: N802
        """What divides the logits: the temperature, and 1 for greedy rows."""
        return np.where(self.greedy_B, np.float32(1), self["temperature"])

    def truncates_B(self, vocabulary_size: int) -> Bool:  # noqa: N802
        """Rows that leave out improbable ids; greedy rows need not, their best id always stays."""
        leaves_out_B = np.zeros(len(self.seed_B), np.bool_)
        for name in options_that("truncates"):
            leaves_out_B |= self[name] != COLUMNS[name].value(None, vocabulary_size)
        return leaves_out_B & ~self.greedy_B

    @property
    def penalised_B(self) -> Bool:  # noqa: N802
        """Rows whose draws depend on what their texts hold."""
        depends_B = np.zeros(len(self.seed_B), np.bool_)
        for name in options_that("penalises"):
            depends_B |= self[name] != COLUMNS[name].neutral
        return depends_B
