"""Units that are held: at their value wherever it is read, and nothing else is changed by it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.clamps import Clamp
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.reading import PromptReader
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from tests import tiny_model

GRAPH = tiny_model.step_graph()
HELD = (Clamp("h", 3, 0.25), Clamp("c", 2, -1.5))
TOKENS = [5, 9, 2, 40, 7]


def decoder(*, clamps: bool) -> BurstDecoder:
    """Of three rows; one that reads layer by layer what is free."""
    model, names = onnx.load_model_from_string(GRAPH), ["h", "c"]
    reader = PromptReader.of(model, names)
    return BurstDecoder(model, names, capacity=3, clamps=clamps, reader=reader)


def run(decoder: BurstDecoder, clamps: list[tuple[Clamp, ...]], num_draws: int) -> list[Row]:
    """Rows with such clamps, after some tokens that are read and some that are drawn."""
    num_rows = len(clamps)
    for slot, held in enumerate(clamps):
        sampling = Sampling(seed=slot, clamps=held)
        decoder.load(slot, Row.start(decoder.row_shape), sampling)
    forced_KB = np.full((len(TOKENS) + num_draws, num_rows), SAMPLED)
    forced_KB[: len(TOKENS)] = np.array(TOKENS)[:, None]
    num_steps_B = np.full(num_rows, len(forced_KB))
    decoder.burst(Burst(np.arange(num_rows), forced_KB, num_steps_B, num_steps_B > 0))
    return [decoder.save(slot) for slot in range(num_rows)]


def same(one: Row, other: Row) -> bool:
    """Bit for bit, the sign of a zero too."""
    return (one.state_W.tobytes(), one.logits_V.tobytes()) == (
        other.state_W.tobytes(),
        other.logits_V.tobytes(),
    )


def test_it_is_read_wherever_the_state_is():
    """By the next step and by the output: as a loop over steps that overwrites it."""
    [held] = run(decoder(clamps=True), [(Clamp("h", 3, 0.25),)], 0)
    step = StepGraph(GRAPH, state_names=["h", "c"])
    weights = {w.name: w for w in onnx.load_model_from_string(GRAPH).graph.initializer}
    h, c = step.zero_state(1)
    for token in TOKENS:
        _, (h, c) = step(np.array([token]), (h, c))
        h[0, 3] = 0.25

    np.testing.assert_allclose(np.concatenate([h[0], c[0]]), held.state_W, atol=1e-6)
    output = numpy_helper.to_array(weights["output"])
    np.testing.assert_allclose(h[0] @ output, held.logits_V, atol=1e-5)


def test_a_cell_that_is_held_is_what_the_output_sees():
    """In the same step: h = o * tanh(C), with 0 < o < 1."""
    [row] = run(decoder(clamps=True), [(Clamp("c", 2, -1.5),)], 3)
    h, c = np.split(row.state_W, 2)

    assert -1.5 == c[2]
    assert np.tanh(-1.5) < h[2] < 0


def test_neighbours_keep_every_bit():
    """And a row is the same whoever runs beside it, in a decoder that can hold units or not."""
    holding = decoder(clamps=True)
    together = run(holding, [(), HELD, ()], 20)
    free = run(decoder(clamps=False), [(), (), ()], 20)
    held_alone = run(holding, [(), HELD], 20)[1]

    assert same(together[0], free[0])
    assert same(together[2], free[2])
    assert not same(together[1], free[1])
    assert same(together[1], held_alone)


def test_a_slot_forgets_what_was_held_in_it():
    """Whoever comes next is free."""
    one = decoder(clamps=True)
    run(one, [HELD], 2)
    assert same(run(one, [()], 5)[0], run(decoder(clamps=False), [()], 5)[0])


def test_a_decoder_that_cannot_says_so():
    """It would write another text."""
    sampling = Sampling(seed=1, clamps=HELD)
    for one in (decoder(clamps=False), StepwiseDecoder(StepGraph(GRAPH), capacity=1)):
        with pytest.raises(ValueError, match="holds no units"):
            one.load(0, Row.start(one.row_shape), sampling)
