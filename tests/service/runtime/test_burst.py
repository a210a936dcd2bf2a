"""The burst decoder against the stepwise one, bit for bit."""

from __future__ import annotations

from typing import ClassVar

import hypothesis
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from service.rows.row import Row
from service.runtime import penalty_graph
from service.runtime.burst import BurstDecoder
from service.runtime.burst_values import INPUTS
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.nodes import Names, Nodes
from service.runtime.onnx_session import load_session
from service.runtime.penalty_graph import COUNTS, Counts, penalty_values
from service.runtime.reading import PromptReader
from service.runtime.reference import sampler
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.rules import RuleTable
from service.runtime.sampler_graph import OPTIONS, RULES, SamplerGraph, option_values, rule_values
from service.runtime.sampling import Sampling, SamplingTable
from service.runtime.step import StepGraph
from tests import step_graphs, tiny_model
from tests.service.runtime.reference.test_sampler import RULED, SAMPLING
from tests.service.runtime.test_batch_invariance import DecoderMachine, _bits

GRAPHS = {
    "lstm": tiny_model.step_graph(),
    "gru": step_graphs.gru(),
    "bigram": step_graphs.bigram(),
}


def _exp_session():
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", "V"]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "exp", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return load_session(model.SerializeToString(), num_threads=1)


_EXP = _exp_session()


def exp(x: np.ndarray) -> np.ndarray:
    """The exponential of onnxruntime; that of numpy differs from it in the last bit."""
    return _EXP.run(None, {"x": np.asarray(x, np.float32)})[0]


def burst_decoder(graph: bytes, **options) -> BurstDecoder:
    """A burst decoder of any step graph, as it is served."""
    model, state_names = onnx.load_model_from_string(graph), StepGraph(graph).state_names
    reader = PromptReader.of(model, state_names)
    return BurstDecoder(model, state_names, reader=reader, **options)


class BurstMachine(DecoderMachine):
    """Bursts in one run of the graph, against each row alone, step by step, in numpy."""

    graph = GRAPHS["lstm"]
    num_threads = 2
    _steps: ClassVar[dict[bytes, StepGraph]] = {}
    _decoders: ClassVar[dict[tuple[bytes, int], BurstDecoder]] = {}

    def make_together(self):
        """Made once: every example overwrites the rows that it uses."""
        key = (self.graph, self.num_threads)
        if key not in self._decoders:
            self._decoders[key] = burst_decoder(
                self.graph,
                capacity=self.capacity,
                num_threads=self.num_threads,
                end_id=self.end_id,
                never_drawn=[3],
                constrains=True,
            )
        return self._decoders[key]

    def make_alone(self):
        """The reference."""
        if self.graph not in self._steps:
            self._steps[self.graph] = StepGraph(self.graph)
        step = self._steps[self.graph]
        return StepwiseDecoder(step, capacity=1, end_id=self.end_id, never_drawn=[3], exp=exp)


class GruMachine(BurstMachine):
    """Another architecture, with many ties."""

    graph = GRAPHS["gru"]
    num_threads = 1


class StackedMachine(BurstMachine):
    """Two layers in int8, which prompts pass one after the other."""

    graph = step_graphs.stacked()
    num_threads = 1


class BigramMachine(BurstMachine):
    """A step graph whose logits do not depend on its state, without an end id."""

    graph = GRAPHS["bigram"]
    end_id = None


TestLstm = BurstMachine.TestCase
TestGru = GruMachine.TestCase
TestBigram = BigramMachine.TestCase
TestStacked = StackedMachine.TestCase
TestLstm.settings = TestGru.settings = TestBigram.settings = hypothesis.settings(
    max_examples=40, stateful_step_count=15, deadline=None
)
TestStacked.settings = TestLstm.settings


def _samplings(number: int) -> list[Sampling]:
    kinds: list[dict] = [
        {},
        {"temperature": 0},
        {"top_k": 5, "repetition_penalty": 1.2},
        {"top_p": 0.8, "num_logprobs": 2},
        {"min_p": 0.1, "presence_penalty": 0.3, "frequency_penalty": 0.1},
    ]
    return [Sampling(seed=n, **kinds[n % len(kinds)]) for n in range(number)]


def _run(decoder, rows: range, samplings: list[Sampling], forced: list[list[int]]) -> list:
    """The tokens and the rows of some texts that run together."""
    for slot, n in enumerate(rows):
        start = Row.start(decoder.row_shape)
        decoder.load(slot, start, samplings[n])
    forced_KB = np.array([[row[0]] * len(rows) for row in forced])
    num_rows = len(rows)
    result = decoder.burst(
        Burst(
            np.arange(num_rows), forced_KB, np.full(num_rows, len(forced)), np.zeros(num_rows, bool)
        )
    )
    return [(result.token_KB[:, b].tolist(), _bits(decoder.save(b))) for b in range(num_rows)]


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("width", [16, 100])
def test_rows_run_the_same_in_batches_of_every_size(width: int, num_threads: int):
    """Bit-identical alone and in batches of 1 to 256, whatever the neighbours ask for."""
    graph = tiny_model.step_graph(width=width)
    samplings = _samplings(256)
    forced = [[5], [9], *[[SAMPLED]] * 4]
    reference = StepwiseDecoder(StepGraph(graph), capacity=1, exp=exp)
    alone = [_run(reference, range(n, n + 1), samplings, forced)[0] for n in range(256)]
    decoder = burst_decoder(graph, capacity=256, num_threads=num_threads)

    for size in (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 128, 200, 255, 256):
        assert alone[256 - size :] == _run(decoder, range(256 - size, 256), samplings, forced), size


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_row_that_is_not_kept_leaves_its_tokens(graph: bytes):
    """Rows that stop in mid-burst go on unseen; tokens, counts and log-probabilities do not."""
    results = []
    for keep in (False, True):
        decoder = burst_decoder(graph, capacity=2)
        for slot, sampling in enumerate([Sampling(seed=1, num_logprobs=1), Sampling(seed=2)]):
            decoder.load(slot, Row.start(decoder.row_shape), sampling)
        forced_KB = np.full((8, 2), SAMPLED)
        forced_KB[0] = 1
        result = decoder.burst(
            Burst(np.arange(2), forced_KB, np.array([3, 8]), np.array([keep, False]))
        )
        assert result.logprobs is not None
        results.append((result.token_KB.tolist(), result.logprobs.chosen_KB.tolist()))
        assert [[SAMPLED] * 5, 3, 8] == [
            result.token_KB[3:, 0].tolist(),
            *(decoder.save(slot).num_tokens for slot in (0, 1)),
        ]

    assert results[0] == results[1]


def test_a_burst_that_only_reads_ends_with_logits():
    """The output layer runs after the last step only, and the draws of the next burst need it."""
    decoder = burst_decoder(GRAPHS["lstm"], capacity=1)
    reference = StepwiseDecoder(StepGraph(GRAPHS["lstm"]), capacity=1, exp=exp)

    assert _run(reference, range(1), _samplings(1), [[5], [6], [7]]) == _run(
        decoder, range(1), _samplings(1), [[5], [6], [7]]
    )


def _sampler_session(vocabulary_size: int):
    """The sampler by itself: logits, counts, options and uniforms in, tokens out."""
    g = Nodes(Names([]))
    names = {name: name for name in (*OPTIONS, *RULES, *penalty_graph.INPUTS)}
    graph = SamplerGraph(names, vocabulary_size, never_drawn=[1])
    token_B = graph.draw(g, "logits", Counts(*COUNTS), "uniform", "k")
    kinds = {name: INPUTS[name] for name in ("logits", *names)}
    kinds |= {"uniform": (TensorProto.FLOAT, 1), "k": (TensorProto.INT64, 0)}
    g.weights.extend(g.names.constants.values())
    model = helper.make_model(
        g.graph(
            "sampler",
            [helper.make_tensor_value_info(n, k, [None] * r) for n, (k, r) in kinds.items()],
            [token_B],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return load_session(model.SerializeToString(), num_threads=1)


_SAMPLERS = {size: _sampler_session(size) for size in (5, 66, 600, 2500)}


_FAR = st.builds(
    lambda sampling, **options: sampling.model_copy(update={"temperature": 1.0, **options}),
    SAMPLING,
    top_k=st.none() | st.sampled_from([63, 64, 65, 100, 512, 513, 2400]),
    top_p=st.none() | st.sampled_from([0.5, 0.9, 0.99, 0.9999, 0.9999999]),
    min_p=st.none() | st.sampled_from([1e-3, 0.01, 0.3]),
)
"""What keeps about as many ids as are sorted at first, or many more."""


@settings(deadline=None, max_examples=200)
@given(
    vocabulary_size=st.sampled_from(sorted(_SAMPLERS)),
    samplings=st.lists(SAMPLING | RULED | _FAR, min_size=1, max_size=9),
    k=st.integers(0, 2),
    seed=st.integers(0, 2**32 - 1),
    grain=st.sampled_from([0.0, 0.001, 0.5]),
    spread=st.sampled_from([0.01, 1.0, 4.0]),
)
def test_the_graph_draws_what_numpy_draws(vocabulary_size, samplings, k, seed, grain, spread):
    """Flat and peaked distributions, ties, options of every kind in one batch."""
    random = np.random.default_rng(seed)
    size = (len(samplings), vocabulary_size)
    logits = random.normal(0, spread, size).astype(np.float32)
    if grain:
        logits = (np.round(logits / grain) * grain).astype(np.float32)
    generated = random.integers(0, 3, size).astype(np.int32)
    present = (generated > 0) | (random.random(size) < 0.3)
    uniform = (random.integers(0, 2**23, len(samplings)) * 2.0**-23).astype(np.float32)
    table = SamplingTable.neutral(len(samplings), vocabulary_size)
    for b, sampling in enumerate(samplings):
        table.put(b, sampling, vocabulary_size)
    steps = np.arange(3)[:, None] + np.zeros(len(samplings), np.int64)
    slots = range(len(samplings))
    rule_table = RuleTable()
    for b, sampling in enumerate(samplings):
        rule_table.put(b, sampling.rules)
    rules = rule_table.of(slots, steps, vocabulary_size)
    masked = logits.copy() if rules is None else rules.ruled(logits, k, np.array(slots))
    masked[:, 1] = -np.inf
    expected = sampler.draw(masked, present, generated, table, uniform, exp)

    [found] = _SAMPLERS[vocabulary_size].run(
        None,
        {
            "logits": logits,
            "uniform": uniform,
            "k": np.array(k),
            **option_values(table, vocabulary_size),
            **rule_values(rules, len(steps)),
            **penalty_values(table, present, generated),
        },
    )

    assert expected.tolist() == found.tolist()


def test_constants_that_begin_alike_have_names_of_their_own():
    """Masks of large vocabularies are alike for hundreds of numbers."""
    names = Names([])
    first, second = np.zeros((300, 1), np.float32), np.zeros((300, 1), np.float32)
    second[299] = -np.inf

    assert names.constant(first, np.float32) != names.constant(second, np.float32)
    assert names.constant(first, np.float32) == names.constant(first.copy(), np.float32)
