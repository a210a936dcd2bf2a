"""The burst decoder: K steps and all draws between them in one run of the burst graph."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx

from service.rows.arrays import Bool, Int64
from service.rows.row import Row, RowShape
from service.runtime.automaton import ConstraintsOfRows
from service.runtime.burst_graph import build_burst_graph
from service.runtime.burst_session import BurstSession, LazySession
from service.runtime.burst_values import NO_STEPS, NOT_INTERRUPTED
from service.runtime.clamps import ClampTable
from service.runtime.constraint_graph import constraint_values
from service.runtime.decoder import SAMPLED, Burst, BurstResult
from service.runtime.logprobs import drawn_logprobs
from service.runtime.penalty_graph import NO_PENALTIES, penalty_values
from service.runtime.randomness import uniforms
from service.runtime.reading import MOST_TOKENS, PromptReader
from service.runtime.row_table import RowTable, neighbours
from service.runtime.sampler_graph import option_values, rule_values
from service.runtime.sampling import NO_LOGPROBS, Sampling, SamplingTable


class BurstDecoder:
    """Rows of one model, advanced burst by burst; see `Decoder`.

    Args:
        step: A step graph that has passed `check_step_graph`.
        state_names: Order of the state tensors in a `Row`.
        capacity: Number of slots.
        num_threads: Threads that one burst may use.
        end_id: Drawing it ends a row, if given.
        never_drawn: Ids that are not sampled, whatever their logit.
        constrains: Whether rows can be held to constraints; what that takes is loaded when it is
            needed, or by `prepare_to_hold`.
        clamps: Whether rows may have clamps.
        reader: Reads prompts of the same step graph, in bursts of which that is all; other decoders
            may have the same one.
    """

    def __init__(
        self,
        step: onnx.ModelProto,
        state_names: Sequence[str],
        *,
        capacity: int,
        num_threads: int = 1,
        end_id: int | None = None,
        never_drawn: Iterable[int] = (),
        constrains: bool = False,
        clamps: bool = False,
        reader: PromptReader | None = None,
    ) -> None:
        ids = tuple(never_drawn)

        def load(*, constrains: bool) -> BurstSession:
            graph = build_burst_graph(
                step,
                state_names,
                end_id=end_id,
                never_drawn=ids,
                constrains=constrains,
                clamps=clamps,
            )
            return BurstSession(graph, num_threads=num_threads)

        self._reader = reader
        self._session = load(constrains=False)
        self._holding = LazySession(partial(load, constrains=True)) if constrains else None
        self._clamps = ClampTable(state_names) if clamps else None
        self._state_names = [f"state.{name}" for name in state_names]
        self._end_id = end_id
        values = {value.name: value for value in (*step.graph.input, *step.graph.output)}
        self._widths = [_width(values[name]) for name in self._state_names]
        self.capacity = capacity
        self._vocabulary_size = _width(values["logits"])
        states = zip(self._state_names, self._widths, strict=True)
        no_states = {name: np.zeros((0, width), np.float32) for name, width in states}
        no_clamps = {} if self._clamps is None else self._clamps.inputs(np.zeros(0, np.int64))
        self._no_steps = {**NO_STEPS, **no_states, **no_clamps}
        self.row_shape = RowShape(sum(self._widths), self._vocabulary_size)
        self._rows = RowTable(capacity, self._widths, self._vocabulary_size)

    def another(self, *, capacity: int) -> BurstDecoder:
        """One with slots of its own that runs the same session, beside this one in another thread.

        So the weights are there once. Meant for sessions of one thread, which have no pool that
        several runs would have to share.
        """
        decoder = copy.copy(self)
        decoder.capacity = capacity
        decoder._rows = RowTable(capacity, self._widths, self._vocabulary_size)
        decoder._clamps = None if self._clamps is None else self._clamps.empty()
        return decoder

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`.

        Raises:
            ValueError: It is to be clamped, which this decoder cannot do.
        """
        self._rows.load(slot, row, sampling)
        if self._clamps is not None:
            self._clamps.put(slot, sampling.clamps)
        else:
            sampling.require_free()

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`."""
        return self._rows.save(slot)

    def prepare_to_hold(self) -> None:
        """Load what holds rows to constraints, once; from any thread, beside bursts.

        Raises:
            ValueError: This decoder cannot hold rows.
        """
        self._holding_session()

    def _holding_session(self) -> BurstSession:
        if self._holding is None:
            raise ValueError("this decoder was made to hold no rows to constraints")
        return self._holding.get()

    def burst(self, burst: Burst) -> BurstResult:
        """Advance the rows of `burst` together, each for as many steps as it is given."""
        slots = neighbours(burst.slot_B)
        table = self._rows.sampling.take(slots)
        drawn_KB = burst.forced_KB == SAMPLED
        if self._reader is not None and self._only_reads(burst, drawn_KB):
            state, logits_BV = self._reader.read(
                burst.forced_KB, burst.num_steps_B, self._rows.gather(slots)[0]
            )
            token_KB = burst.forced_KB.copy()
            logits_KLV = np.zeros((0, 0, self._vocabulary_size), np.float32)  # nothing is told
            top_id_KLN = np.zeros((0, 0, self._num_top(table)), np.int64)
        else:
            values = self._values(burst, slots, table, drawn_KB)
            session = self._session
            if burst.constraints is not None and any(burst.constraints):
                session = self._holding_session()
                values |= constraint_values(burst.constraints, self._vocabulary_size)
            *state, logits_BV, token_KB, logits_KLV, top_id_KLN, _ = session.run(values)
            burst, drawn_KB = burst.first(len(token_KB)), drawn_KB[: len(token_KB)]
        self._rows.scatter(slots, state, logits_BV)

        told_KB = drawn_KB if burst.scored_B is None else drawn_KB | burst.scored_B
        num_steps_B, ended_B = self._ends(burst, token_KB, drawn_KB)
        constraints = None
        if burst.constraints is not None:
            constraints = _read(burst.constraints, token_KB, drawn_KB, num_steps_B, ended_B)
        taken_KB = np.arange(len(token_KB))[:, None] < num_steps_B
        token_KB[~taken_KB] = SAMPLED
        self._rows.count(burst.slot_B, token_KB, drawn_KB, taken_KB)
        self._rows.num_tokens[burst.slot_B] += num_steps_B
        return BurstResult(
            token_KB=token_KB,
            num_steps_B=num_steps_B,
            ended_B=ended_B,
            finite_B=self._rows.finite(slots),
            logprobs=drawn_logprobs(table, logits_KLV, top_id_KLN, token_KB, told_KB & taken_KB),
            constraints=constraints,
        )

    def next_tokens(self, slot_B: Int64) -> Int64:
        """What some plain rows will draw next; SAMPLED where that ends the text."""
        slots = neighbours(slot_B)
        table, position_1B = self._rows.sampling.take(slots), self._rows.num_tokens[slots][None]
        values = {
            **self._no_steps,
            "logits": self._rows.logits[slots],
            "uniform_KB": uniforms(table.seed_B, position_1B),
            "temperature": table["temperature"][None],
        }
        token_B = self._session.run(values)[-1]
        return np.where(table.plain_B & (token_B != self._end_id), token_B, SAMPLED)

    def _only_reads(self, burst: Burst, drawn_KB: Bool) -> bool:
        """Whether there is nothing but tokens to be read, several in a row and not too many."""
        num_steps = len(drawn_KB)
        if num_steps == 1 or drawn_KB.size > MOST_TOKENS or burst.constraints is not None:
            return False
        if drawn_KB[0].any():  # which tells it of most
            return False
        if burst.scored_B is not None and burst.scored_B.any():
            return False
        if self._clamps is not None and self._clamps.holds(burst.slot_B):
            return False
        return not (drawn_KB & (np.arange(num_steps)[:, None] < burst.num_steps_B)).any()

    def _values(
        self, burst: Burst, slots: Int64 | slice, table: SamplingTable, drawn_KB: Bool
    ) -> dict[str, Any]:
        """The inputs of the graph, by the names of `burst_graph`."""
        num_steps = len(burst.forced_KB)
        state, logits_BV = self._rows.gather(slots)
        draws_K: Bool = np.any(drawn_KB, axis=1)
        told_K = draws_K.copy()
        if burst.scored_B is not None:
            told_K |= burst.scored_B.any()
        may_stop_B = burst.num_steps_B < num_steps
        may_end = self._end_id is not None or burst.constraints is not None
        if may_end:
            may_stop_B = may_stop_B | draws_K.any()
        freezes = bool((may_stop_B & burst.keep_B).any())
        # Logits are needed where the next token is drawn from them or scored, and where a row is
        # put away.
        heads_K = np.ones(num_steps, np.bool_)
        heads_K[:-1] = told_K[1:]
        if freezes:
            heads_K[burst.num_steps_B - 1] = True
            heads_K |= draws_K & may_end
        told_L = np.flatnonzero(table.num_logprobs_B != NO_LOGPROBS)
        positions_KB = self._rows.num_tokens[slots] + np.arange(num_steps)[:, None]
        rules = self._rows.rules.of(burst.slot_B, positions_KB, self._vocabulary_size)
        values = {
            "num_steps": np.array(num_steps),
            "forced_KB": burst.forced_KB,
            "uniform_KB": uniforms(table.seed_B, positions_KB),
            "draws_K": draws_K,
            "heads_K": heads_K,
            "steps_B1": burst.num_steps_B[:, None],
            "freezes": np.array(freezes),
            "interrupted": NOT_INTERRUPTED if burst.interrupted is None else burst.interrupted,
            "draws_next": np.array(False),
            "wants_logits": np.array(told_L.size > 0),
            "told_L": told_L,
            "num_top_1": np.array([self._num_top(table)]),
            "logits": logits_BV,
            **dict(zip(self._state_names, state, strict=True)),
            **option_values(table, self._vocabulary_size),
            **rule_values(rules, num_steps),
        }
        if table.plain_B.all():
            values |= NO_PENALTIES
        else:
            counts = self._rows.counts(slots, table.penalised_B)
            values |= penalty_values(table, *counts)
        if self._clamps is not None:
            values |= self._clamps.inputs(burst.slot_B)
        return values

    def _num_top(self, table: SamplingTable) -> int:
        """How many of the best ids are told of each token, at most."""
        return min(max(0, int(table.num_logprobs_B.max())), self._vocabulary_size)

    def _ends(self, burst: Burst, token_KB: Int64, drawn_KB: Bool) -> tuple[Int64, Bool]:
        """How many steps each row took, and whether it drew its end id."""
        num_steps_B = burst.num_steps_B
        if self._end_id is None:
            return num_steps_B.copy(), np.zeros(len(num_steps_B), np.bool_)
        is_end_KB = drawn_KB & (token_KB == self._end_id)
        is_end_KB &= np.arange(len(token_KB))[:, None] < num_steps_B
        ended_B = is_end_KB.any(axis=0)
        return np.where(ended_B, is_end_KB.argmax(axis=0) + 1, num_steps_B), ended_B


def prepare_to_hold(decoders: Iterable[BurstDecoder]) -> None:
    """`BurstDecoder.prepare_to_hold` of each."""
    for decoder in decoders:
        decoder.prepare_to_hold()


def _read(
    constraints: ConstraintsOfRows,
    token_KB: Int64,
    drawn_KB: Bool,
    num_steps_B: Int64,
    ended_B: Bool,
) -> ConstraintsOfRows:
    """What the constraints are after a burst; notes in the last two which texts are complete."""
    after = list(constraints)
    for b, before in enumerate(constraints):
        if before is None:
            continue
        steps = np.flatnonzero(drawn_KB[: num_steps_B[b], b])
        constraint, num_taken = before.read(token_KB[steps, b])
        after[b] = constraint
        if constraint.is_complete:
            num_steps_B[b], ended_B[b] = steps[num_taken - 1] + 1, True
    return after


def _width(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.shape.dim[1].dim_value)
