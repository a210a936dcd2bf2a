"""Decoders that run one session at the same time, each in its thread: as if each were alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.clamps import Clamp
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from tests import tiny_model

_GRAPH = tiny_model.step_graph()
_NAMES = StepGraph(_GRAPH).state_names
_STEPS = 8


def _decoder(capacity: int, *, clamps: bool = False) -> BurstDecoder:
    model = onnx.load_model_from_string(_GRAPH)
    return BurstDecoder(model, _NAMES, capacity=capacity, clamps=clamps)


def _written(decoder: BurstDecoder, seed: int, *, freezes: bool) -> list[bytes]:
    """Tokens and rows after some bursts that draw."""
    slots = np.arange(decoder.capacity)
    for slot in range(decoder.capacity):
        decoder.load(slot, Row.start(decoder.row_shape), Sampling(seed=seed + slot))
    forced_KB = np.full((_STEPS, len(slots)), SAMPLED)
    num_steps_B = np.full(len(slots), _STEPS)
    num_steps_B[0] -= freezes
    found = []
    for _ in range(30):
        result = decoder.burst(Burst(slots, forced_KB, num_steps_B, num_steps_B > 0))
        found.append(result.token_KB.tobytes())
    rows = [decoder.save(slot) for slot in range(decoder.capacity)]
    return found + [row.state_W.tobytes() + row.logits_V.tobytes() for row in rows]


@pytest.mark.parametrize("freezes", [False, True])
def test_decoders_of_one_session_write_what_each_writes_alone(freezes):
    """Three of different sizes at the same time, with rows that stop early and without."""
    one = _decoder(5)
    decoders = [one, one.another(capacity=3), one.another(capacity=8)]
    with ThreadPoolExecutor(len(decoders)) as threads:
        running = [
            threads.submit(_written, decoder, 100 * n, freezes=freezes)
            for n, decoder in enumerate(decoders)
        ]
        together = [each.result() for each in running]
    for n, (decoder, written) in enumerate(zip(decoders, together, strict=True)):
        assert written == _written(_decoder(decoder.capacity), 100 * n, freezes=freezes)


def test_another_decoder_has_slots_and_clamps_of_its_own():
    """What is loaded into one of them is not in the other."""
    one = _decoder(1, clamps=True)
    other = one.another(capacity=1)
    alone = _written(_decoder(1), 7, freezes=False)
    held = Sampling(seed=7, clamps=(Clamp(_NAMES[0], 0, 0.5),))
    one.load(0, Row.start(one.row_shape), held)
    assert _written(other, 7, freezes=False) == alone
    with pytest.raises(IndexError):
        other.load(1, Row.start(one.row_shape), Sampling(seed=7))
