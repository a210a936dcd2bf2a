import hypothesis
import numpy as np
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from service.rows.row import Row
from service.runtime.automaton import BARRED, COMPLETE, Automaton, Constraint
from service.runtime.decoder import SAMPLED, Burst, Decoder
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.rules import TokenRules
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from tests import tiny_model


def _burst(slots, forced, num_steps=None, scored=None, constraints=None, interrupted=None):
    forced_KB = np.array(forced, np.int64)
    if num_steps is None:
        num_steps = [len(forced)] * len(slots)
    keep_B = np.ones(len(slots), np.bool_)
    scored_B = None if scored is None else np.array(scored)
    return Burst(
        np.array(slots), forced_KB, np.array(num_steps), keep_B, scored_B, constraints, interrupted
    )


def _bits(row: Row):
    return (
        row.state_W.tobytes(),
        row.logits_V.tobytes(),
        row.present_V.tobytes(),
        row.generated_V.tobytes(),
        row.num_tokens,
    )


def _start(decoder):
    return Row.start(decoder.row_shape)


_plain = st.builds(
    Sampling,
    seed=st.integers(0, 2**63 - 1),
    temperature=st.sampled_from([None, 1e-50, 0.7, 1.0, 3.0]),
    num_logprobs=st.sampled_from([None, None, None, 2]),
)
_samplings = _plain | st.builds(
    Sampling,
    seed=st.integers(0, 2**63 - 1),
    temperature=st.sampled_from([0.0, 0.7, 1.0, 3.0]),
    top_k=st.none() | st.integers(1, 5),
    top_p=st.none() | st.floats(0.1, 1),
    min_p=st.none() | st.floats(0, 0.5),
    repetition_penalty=st.none() | st.floats(0.5, 2),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
    num_logprobs=st.none() | st.integers(0, 3),
    rules=st.none()
    | st.builds(
        TokenRules,
        bias=st.just(()) | st.just(((0, 2.5), (5, -100.0), (4, -np.inf))),
        held=st.just(()) | st.just((2, 6)),
        held_until=st.integers(0, 12),
    ),
)


# Of ids by their remainders; 1 is allowed everywhere, and no rule is about it.
_AUTOMATA = (
    ((1, 0, BARRED), (BARRED, 0, COMPLETE)),
    ((BARRED, 0, 0, BARRED),),
)


def _constraint(table, vocabulary_size):
    class_V = np.arange(vocabulary_size, dtype=np.int32) % len(table[0])
    return Constraint(Automaton(np.array(table, np.int32), class_V))


class DecoderMachine(stateful.RuleBasedStateMachine):
    """Rows that come, go and move between slots, against each alone, one step at a time."""

    capacity = 5
    end_id: int | None = 2

    def __init__(self):
        super().__init__()
        self.together = self.make_together()
        self.alone: dict[int, Decoder] = {}
        self.sampling: dict[int, Sampling] = {}
        self.constraint: dict[int, Constraint] = {}

    def make_together(self) -> Decoder:
        """What runs the rows together."""
        return StepwiseDecoder(FakeStep(), capacity=self.capacity, end_id=self.end_id)

    def make_alone(self) -> Decoder:
        """What runs each of them alone."""
        return StepwiseDecoder(FakeStep(), capacity=1, end_id=self.end_id)

    @stateful.rule(
        slot=st.integers(0, 4),
        sampling=_samplings,
        token=st.integers(0, 6),
        table=st.none() | st.sampled_from(_AUTOMATA),
    )
    def start(self, slot, sampling, token, table):
        """A new text in a slot, whatever was there."""
        alone = self.make_alone()
        alone.load(0, _start(alone), sampling)
        alone.burst(_burst([0], [[token]]))
        self.together.load(slot, _start(self.together), sampling)
        self.together.burst(_burst([slot], [[token]]))
        self.alone[slot], self.sampling[slot] = alone, sampling
        self.constraint.pop(slot, None)
        if table is not None:
            size = alone.row_shape.vocabulary_size
            self.constraint[slot] = _constraint(table, size)

    @stateful.precondition(lambda self: self.alone)
    @stateful.rule(data=st.data(), num_steps=st.integers(1, 6))
    def burst(self, data, num_steps):
        """Some of the rows together; then each of them alone, step by step."""
        slots = data.draw(
            st.lists(st.sampled_from(sorted(self.alone)), min_size=1, unique=True), label="slots"
        )
        given = data.draw(
            st.lists(st.integers(1, num_steps), min_size=len(slots), max_size=len(slots)),
            label="steps",
        )
        token = st.just(SAMPLED) | st.integers(0, 6)
        forced = [[data.draw(token) for _ in slots] for _ in range(num_steps)]

        scored = data.draw(
            st.none() | st.lists(st.booleans(), min_size=len(slots), max_size=len(slots)),
            label="scored",
        )

        constraints = [self.constraint.get(slot) for slot in slots]
        free = [b for b, slot in enumerate(slots) if self._is_free(slot)]
        known = self._next_tokens([slots[b] for b in free])
        held = constraints if any(constraints) else None
        interrupted = np.array(data.draw(st.booleans(), label="interrupted"))
        result = self.together.burst(_burst(slots, forced, given, scored, held, interrupted))
        given = np.minimum(given, len(result.token_KB))

        for b, token_id in zip(free, known, strict=True):
            if forced[0][b] == SAMPLED:
                ends = result.ended_B[b] and result.num_steps_B[b] == 1
                assert token_id == (SAMPLED if ends else result.token_KB[0, b])
        for b, slot in enumerate(slots):
            tokens, ended, constraint = [], False, constraints[b]
            for k in range(given[b]):
                one = self.alone[slot].burst(
                    _burst(
                        [0],
                        [[forced[k][b]]],
                        scored=[scored[b]] if scored else None,
                        constraints=[constraint] if constraint else None,
                    )
                )
                constraint = one.constraints[0] if one.constraints else None
                tokens.append(int(one.token_KB[0, 0]))
                self._compare_logprobs(one, result, k, b, self.sampling[slot])
                if ended := bool(one.ended_B[0]):
                    break
            assert tokens == result.token_KB[: len(tokens), b].tolist()
            assert (len(tokens), ended) == (result.num_steps_B[b], result.ended_B[b])
            if constraint:
                assert result.constraints is not None
                assert constraint == result.constraints[b]
                self.constraint[slot] = constraint
            if ended:  # what it goes on with after that is another text
                self.constraint.pop(slot, None)

    def _is_free(self, slot):
        return slot not in self.constraint and self.sampling[slot].is_plain

    def _next_tokens(self, slots):
        """What some rows will draw, known together as it is alone."""
        if not slots:
            return []
        tokens = self.together.next_tokens(np.array(slots)).tolist()
        assert tokens == [self.alone[slot].next_tokens(np.array([0]))[0] for slot in slots]
        return tokens

    def _compare_logprobs(self, one, result, k, b, sampling):
        if sampling.num_logprobs is None:
            return
        num = sampling.num_logprobs
        assert one.logprobs.chosen_KB[0, 0] == result.logprobs.chosen_KB[k, b]
        assert one.logprobs.top_id_KBN[0, 0].tolist() == (
            result.logprobs.top_id_KBN[k, b, :num].tolist()
        )
        assert one.logprobs.top_KBN[0, 0].tolist() == result.logprobs.top_KBN[k, b, :num].tolist()

    @stateful.precondition(lambda self: self.alone)
    @stateful.rule(data=st.data(), to=st.integers(0, 4))
    def move(self, data, to):
        """A row is saved and goes on in another slot."""
        source = data.draw(st.sampled_from(sorted(self.alone)))
        self.together.load(to, self.together.save(source), self.sampling[source])
        self.alone[to] = self.alone.pop(source)
        self.sampling[to] = self.sampling.pop(source)
        constraint = self.constraint.pop(source, None)
        self.constraint.pop(to, None)
        if constraint:
            self.constraint[to] = constraint

    @stateful.invariant()
    def rows_are_equal(self):
        """Bit for bit."""
        for slot, alone in self.alone.items():
            assert _bits(alone.save(0)) == _bits(self.together.save(slot))


class OnnxMachine(DecoderMachine):
    """The same on the tiny model in onnxruntime."""

    graph = StepGraph(tiny_model.step_graph(), num_threads=2)

    def make_together(self):
        """Two threads."""
        return StepwiseDecoder(self.graph, capacity=self.capacity, end_id=self.end_id)

    def make_alone(self):
        """The same model."""
        return StepwiseDecoder(self.graph, capacity=1, end_id=self.end_id)


TestFake = DecoderMachine.TestCase
TestFake.settings = hypothesis.settings(max_examples=60, stateful_step_count=20, deadline=None)
TestOnnx = OnnxMachine.TestCase
TestOnnx.settings = hypothesis.settings(max_examples=40, stateful_step_count=15, deadline=None)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("width", [16, 100, 256])
def test_rows_run_the_same_in_batches_of_every_size(width, num_threads):
    """Tokens and rows of a text are bit-identical alone and in batches of 1 to 64.

    The product's promise: same seed, same text, whoever else is on the machine.
    """
    steps = {n: StepGraph(tiny_model.step_graph(width=width), num_threads=n) for n in (1, 2)}
    num_rows, prompt = 64, [5, 9, 20]
    forced = [[token] for token in prompt] + [[SAMPLED]] * 3
    kinds: list[dict] = [
        {},
        {"temperature": 0},
        {"top_k": 5, "repetition_penalty": 1.2},
        {"top_p": 0.8},
    ]
    samplings = [Sampling(seed=n, **kinds[n % 4]) for n in range(num_rows)]
    alone_tokens, alone_rows = [], []
    for sampling in samplings:
        decoder = StepwiseDecoder(steps[1], capacity=1)
        decoder.load(0, _start(decoder), sampling)
        alone_tokens.append(decoder.burst(_burst([0], forced)).token_KB[:, 0].tolist())
        alone_rows.append(_bits(decoder.save(0)))

    for batch_size in range(1, num_rows + 1):
        decoder = StepwiseDecoder(steps[num_threads], capacity=batch_size)
        first = num_rows - batch_size  # another neighbourhood for every size
        for slot in range(batch_size):
            decoder.load(slot, _start(decoder), samplings[first + slot])
        together = [row * batch_size for row in forced]
        tokens = decoder.burst(_burst(range(batch_size), together)).token_KB.T.tolist()
        rows = [_bits(decoder.save(slot)) for slot in range(batch_size)]
        assert alone_tokens[first:] == tokens, f"batch of {batch_size}"
        assert alone_rows[first:] == rows, f"batch of {batch_size}"
