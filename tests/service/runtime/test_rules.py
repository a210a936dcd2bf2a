"""Rules about single ids, in the graph that serves."""

from __future__ import annotations

import numpy as np

from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.rules import TokenRules
from service.runtime.sampling import Sampling
from tests import tiny_model
from tests.service.runtime.test_burst import burst_decoder

_STEPS = 24


def _written(*rules: TokenRules | None) -> list[list[int]]:
    """What rows write together after one token, with a rule each."""
    decoder = burst_decoder(tiny_model.step_graph(), capacity=len(rules))
    for slot, each in enumerate(rules):
        decoder.load(slot, Row.start(decoder.row_shape), Sampling(seed=4, rules=each))
    forced_KB = np.full((_STEPS + 1, len(rules)), SAMPLED)
    forced_KB[0] = 9
    given_B = np.full(len(rules), _STEPS + 1)
    result = decoder.burst(Burst(np.arange(len(rules)), forced_KB, given_B, given_B > 0))
    return result.token_KB[1:].T.tolist()


def test_a_row_is_ruled_and_its_neighbours_are_not():
    """What is biased up is all that is written, what is banned is not written."""
    [plain] = _written(None)
    banned = tuple((token, -np.inf) for token in set(plain[:6]))
    up, without, beside = _written(TokenRules(bias=((7, 100.0),)), TokenRules(bias=banned), None)

    assert [7] * _STEPS == up
    assert set() == {token for token, _ in banned} & set(without)
    assert plain == beside


def test_an_id_is_held_until_the_text_is_long_enough():
    """What was read counts; then it is drawn as ever."""
    until = 9
    [held] = _written(TokenRules(bias=((7, 100.0),), held=(7,), held_until=until))

    assert 7 not in held[: until - 1]
    assert [7] * (_STEPS - until + 1) == held[until - 1 :]
