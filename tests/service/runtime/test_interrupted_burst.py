"""Bursts that end early: nothing of a text changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from tests.service.runtime.test_batch_invariance import _bits
from tests.service.runtime.test_burst import GRAPHS, burst_decoder, exp


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_burst_goes_on_as_if_it_were_one(graph: bytes, keep: bool):
    """It ends after the step that runs; the next burst begins there."""
    whole, broken = burst_decoder(graph, capacity=2), burst_decoder(graph, capacity=2)
    for decoder in (whole, broken):
        for slot in range(2):
            sampling = Sampling(seed=slot, repetition_penalty=1.5, num_logprobs=1)
            decoder.load(slot, Row.start(decoder.row_shape), sampling)
    keep_B, forced_KB = np.full(2, keep), np.full((9, 2), SAMPLED)
    forced_KB[0] = 1
    expected = whole.burst(Burst(np.arange(2), forced_KB, np.array([9, 7]), keep_B))
    flag = np.array(True)

    first = broken.burst(Burst(np.arange(2), forced_KB, np.array([9, 7]), keep_B, interrupted=flag))
    flag[...] = False
    second = broken.burst(
        Burst(np.arange(2), forced_KB[1:], np.array([8, 6]), keep_B, interrupted=flag)
    )

    assert ([1, 1], [8, 6]) == (first.num_steps_B.tolist(), second.num_steps_B.tolist())
    assert expected.token_KB.tolist() == [*first.token_KB.tolist(), *second.token_KB.tolist()]
    assert expected.logprobs
    assert first.logprobs
    assert second.logprobs
    told = [each.chosen_KB[:, 0].tolist() for each in (first.logprobs, second.logprobs)]
    assert expected.logprobs.chosen_KB[:, 0].tolist() == [*told[0], *told[1]]
    assert _bits(whole.save(0)) == _bits(broken.save(0))


def test_a_burst_that_runs_can_be_interrupted():
    """From another thread: what it writes is read while the graph runs."""
    decoder, num_steps = burst_decoder(GRAPHS["lstm"], capacity=1), 200_000
    decoder.load(0, Row.start(decoder.row_shape), Sampling(seed=0))
    forced_KB = np.full((num_steps, 1), SAMPLED)
    forced_KB[0] = 1
    flag = np.array(False)
    timer = threading.Timer(0.2, lambda: flag.fill(True))
    timer.start()

    result = decoder.burst(
        Burst(np.array([0]), forced_KB, np.array([num_steps]), np.array([False]), interrupted=flag)
    )

    timer.join()
    assert 1 < len(result.token_KB) < num_steps
    assert decoder.save(0).num_tokens == len(result.token_KB)


def test_a_burst_is_not_interrupted_where_logits_are_left_out():
    """While all rows read, the output layer does not run: a row that is saved there needs it."""
    decoder = burst_decoder(GRAPHS["lstm"], capacity=1)
    reference = StepwiseDecoder(StepGraph(GRAPHS["lstm"]), capacity=1, exp=exp)
    for each in (decoder, reference):
        each.load(0, Row.start(each.row_shape), Sampling(seed=0))
    forced_KB = np.array([[5], [6], [7], [SAMPLED], [SAMPLED]])
    reference.burst(Burst(np.array([0]), forced_KB[:3], np.array([3]), np.array([True])))

    result = decoder.burst(
        Burst(np.array([0]), forced_KB, np.array([5]), np.array([True]), interrupted=np.array(True))
    )

    assert [5, 6, 7] == result.token_KB[:, 0].tolist()
    assert _bits(reference.save(0)) == _bits(decoder.save(0))
