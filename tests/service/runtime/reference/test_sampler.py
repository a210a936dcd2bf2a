"""The vectorised sampler against the definition of each option, one row at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.runtime.logprobs import logprobs
from service.runtime.randomness import uniforms
from service.runtime.reference import sampler
from service.runtime.rules import TokenRules
from service.runtime.sampling import Sampling, SamplingTable

# Few different values, so that ties are the rule.
LOGITS = st.lists(
    st.sampled_from([-3.0, -1.0, 0.0, 0.5, 0.5000001, 2.0, 7.0]), min_size=2, max_size=12
)
SAMPLING = st.builds(
    Sampling,
    seed=st.just(0),
    temperature=st.sampled_from([0.0, 1e-300, 1e-3, 0.5, 1.0, 10.0]),
    top_k=st.none() | st.sampled_from([1, 2, 3, 10**9]),
    top_p=st.none() | st.sampled_from([1e-300, 0.3, 0.5, 0.9, 1.0]),
    min_p=st.none() | st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    repetition_penalty=st.none() | st.sampled_from([1e-300, 0.5, 1.0, 2.0, 1e300]),
    presence_penalty=st.none() | st.sampled_from([-2.0, 0.0, 1.5]),
    frequency_penalty=st.none() | st.sampled_from([-2.0, 0.0, 0.7]),
)

_IDS = st.integers(0, 3)
RULED = st.builds(
    lambda sampling, **rules: sampling.model_copy(update={"rules": TokenRules(**rules)}),
    SAMPLING,
    bias=st.lists(
        st.tuples(_IDS, st.sampled_from([-100.0, -1.5, 0.0, 2.0, 100.0, -np.inf])),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
    held=st.lists(_IDS, max_size=2).map(tuple),
    held_until=st.integers(0, 3),
)
"""With rules about the first four ids: never about all of a vocabulary."""


def draw_one(logits, present, generated, sampling: Sampling, uniform: float) -> int:
    """Draw one row by itself."""
    table = SamplingTable.neutral(1, len(logits))
    table.put(0, sampling, len(logits))
    return int(
        sampler.draw(
            np.array([logits], np.float32),
            np.array([present], np.bool_),
            np.array([generated], np.int32),
            table,
            np.array([uniform], np.float32),
        )[0]
    )


def allowed(logits, present, generated, sampling: Sampling) -> set[int]:
    """Ids that may be drawn, by the definitions, one id at a time."""
    # Penalties in float32, like the sampler's: they decide which ids are tied.
    single = np.float32
    y = [single(value) for value in logits]
    if (penalty := sampling.repetition_penalty) is not None and penalty != 1:
        r = single(min(max(penalty, 1e-30), 1e30))
        with np.errstate(over="ignore"):
            y = [(v / r if v > 0 else v * r) if p else v for v, p in zip(y, present, strict=True)]
    for n, count in enumerate(generated):
        y[n] -= single(sampling.presence_penalty or 0) * single(count > 0)
        y[n] -= single(sampling.frequency_penalty or 0) * single(count)
    x = [float(v) for v in y]
    order = sorted(range(len(x)), key=lambda n: (-x[n], n))
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    if temperature < 1e-40:
        return {n for n in order if x[n] >= x[order[0]] - 1e-5 * max(1, abs(x[order[0]]))}
    weight = [math.exp(max((x[n] - x[order[0]]) / temperature, -700)) for n in order]
    kept = order[: sampling.top_k]
    weight = weight[: len(kept)]
    if sampling.top_p is not None and sampling.top_p < 1:
        total, before, count = sum(weight), 0.0, 0
        # A hair of tolerance: the sampler adds in float32.
        while count < len(kept) and before < sampling.top_p * total + 1e-5 * total:
            before += weight[count]
            count += 1
        kept = kept[:count]
    floor = (sampling.min_p or 0) * (1 - 1e-5)
    return {n for n, w in zip(kept, weight, strict=False) if w >= floor}


@settings(deadline=None, max_examples=400)
@given(logits=LOGITS, sampling=SAMPLING, uniform=st.floats(0, 1 - 2**-23, width=32), data=st.data())
def test_only_what_the_options_allow_is_drawn(logits, sampling, uniform, data):
    """Penalties, temperature, top_k, top_p, min_p, in this order, ties by the lower id."""
    size = len(logits)
    generated = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    present = [count > 0 or data.draw(st.booleans()) for count in generated]

    token = draw_one(logits, present, generated, sampling, uniform)

    assert token in allowed(logits, present, generated, sampling)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2**32), SAMPLING, st.floats(0, 1 - 2**-23, width=32)),
        min_size=2,
        max_size=20,
    )
)
def test_neighbours_change_nothing(rows):
    """A row's draw is the same alone and with any others, whatever they ask for."""
    size = 9
    normal = [np.random.default_rng(s).normal(0, 2, size) for s, _, _ in rows]
    logits = np.stack(normal).astype(np.float32)
    generated = np.stack([np.random.default_rng(s).integers(0, 3, size) for s, _, _ in rows])
    table = SamplingTable.neutral(len(rows), size)
    for b, (_, sampling, _) in enumerate(rows):
        table.put(b, sampling, size)
    uniform = np.array([u for _, _, u in rows], np.float32)
    together = sampler.draw(logits, generated > 0, generated.astype(np.int32), table, uniform)

    expected = [
        draw_one(logits[b], generated[b] > 0, generated[b], sampling, float(uniform[b]))
        for b, (_, sampling, _) in enumerate(rows)
    ]
    assert expected == together.tolist()


_LOGITS = np.array([0.0, 1.0, 2.0, -1.0, 0.5], np.float32)
# Of a chi-square distribution with 4 degrees of freedom, one in a thousand is larger.
_CRITICAL = 18.467


def _counts(temperature: float, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often each id is drawn with these numbers, and how often it should be."""
    num_draws = len(uniform)
    table = SamplingTable.neutral(num_draws, 5)
    table["temperature"][:] = temperature
    tokens = sampler.draw(
        np.tile(_LOGITS, (num_draws, 1)),
        np.zeros((num_draws, 5), np.bool_),
        np.zeros((num_draws, 5), np.int32),
        table,
        uniform.astype(np.float32),
    )
    weight = np.exp(_LOGITS.astype(np.float64) / temperature)
    return np.bincount(tokens, minlength=5), weight / weight.sum() * num_draws


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("first_seed", [0, 2**40])
def test_draws_of_seeds_follow_the_distribution(temperature: float, first_seed: int):
    """Chi-square of 20,000 draws: 200 seeds, 100 positions of each."""
    seeds = np.arange(first_seed, first_seed + 200, dtype=np.uint64)
    uniform = uniforms(seeds, np.broadcast_to(np.arange(100)[:, None], (100, 200))).ravel()
    found, expected = _counts(temperature, uniform)

    assert ((found - expected) ** 2 / expected).sum() < _CRITICAL


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_evenly_spaced_numbers_give_the_distribution_itself(temperature: float):
    """Every count is right to within rounding."""
    uniform = (np.arange(20_000) + 0.5).astype(np.float32) / 20_000
    found, expected = _counts(temperature, uniform)

    assert np.abs(found - expected).max() < 3


def test_min_p_of_one_leaves_the_most_probable_only():
    """Whatever number is drawn."""
    for uniform in (0.0, 0.5, 1 - 2**-23):
        assert 2 == draw_one([0, 1, 3, 2], [0] * 4, [0] * 4, Sampling(seed=0, min_p=1), uniform)


def test_ids_without_weight_are_never_drawn():
    """Not at the beginning with 0, nor at the end with the largest number."""
    logits = [-np.inf, 1, 1, -np.inf]
    nothing = [0] * 4

    assert 1 == draw_one(logits, nothing, nothing, Sampling(seed=0), 0.0)
    assert 2 == draw_one(logits, nothing, nothing, Sampling(seed=0), 1 - 2**-23)


def test_logprobs_add_up():
    """Their exponentials are a distribution, the best come first, ties by the lower id."""
    logits = np.array([[1.0, 3.0, 3.0, -2.0]], np.float32)
    chosen, top_id, top = logprobs(logits, np.array([3]), 4)

    assert [[1, 2, 0, 3]] == top_id.tolist()
    assert abs(np.exp(top.astype(np.float64)).sum() - 1) < 1e-6
    assert top[0, 3] == chosen[0]
