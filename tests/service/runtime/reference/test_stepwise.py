"""Rows advance the same way alone and among any others: the promise that the server makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.rows.row import Row, RowShape
from service.runtime.decoder import SAMPLED, Burst, BurstResult
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import Step, StepGraph
from tests.tiny_model import step_graph

GRAPH = StepGraph(step_graph(), num_threads=1)
GRAPH_TWO_THREADS = StepGraph(step_graph(), num_threads=2)
STEPS = pytest.mark.parametrize("step", [FakeStep(), GRAPH, GRAPH_TWO_THREADS])

SAMPLINGS = (
    Sampling(seed=1),
    Sampling(seed=2, temperature=0),
    Sampling(seed=2**63 - 1, temperature=0.5, top_k=3),
    Sampling(seed=3, top_p=0.7, repetition_penalty=1.3),
    Sampling(seed=4, temperature=3, min_p=0.2, presence_penalty=0.5, frequency_penalty=-0.3),
    Sampling(seed=5, num_logprobs=2),
)


def decoder(step: Step, capacity: int = 64, **options) -> StepwiseDecoder:
    """A decoder of free slots."""
    return StepwiseDecoder(step, capacity=capacity, **options)


def start(step: Step) -> Row:
    """The empty text."""
    return Row.start(RowShape(sum(step.state_widths), step.vocabulary_size))


def burst(
    target: StepwiseDecoder, slots: list[int], forced: list[list[int]], num_steps: list[int]
) -> BurstResult:
    """Run a burst; row b has the tokens `forced[b]` to read, then writes."""
    forced_KB = np.full((max(num_steps), len(slots)), SAMPLED, np.int64)
    for b, tokens in enumerate(forced):
        forced_KB[: len(tokens), b] = tokens[: len(forced_KB)]
    keep_B = np.ones(len(slots), np.bool_)
    return target.burst(Burst(np.array(slots), forced_KB, np.array(num_steps), keep_B))


def alone(
    step: Step, prompt: list[int], sampling: Sampling, num_steps: int
) -> tuple[list[int], Row]:
    """The tokens and the row of a text that nobody shares a step with, one burst a step."""
    single = decoder(step, capacity=1)
    single.load(0, start(step), sampling)
    tokens: list[int] = []
    for k in range(num_steps):
        tokens += burst(single, [0], [prompt[k : k + 1]], [1]).token_KB[:, 0].tolist()
    return tokens, single.save(0)


def assert_same(expected: Row, found: Row) -> None:
    """Bit for bit."""
    assert expected.num_tokens == found.num_tokens
    for name in ("state_W", "logits_V", "present_V", "generated_V"):
        assert getattr(expected, name).tobytes() == getattr(found, name).tobytes(), name


@STEPS
def test_save_is_the_inverse_of_load(step: Step):
    """What goes into a slot comes out of it."""
    _, row = alone(step, [1, 2], Sampling(seed=1), 5)
    other = decoder(step)
    other.load(17, row, Sampling(seed=9))

    assert_same(row, other.save(17))


@STEPS
def test_a_saved_row_is_a_copy(step: Step):
    """The text goes on without changing what was saved of it."""
    single = decoder(step, capacity=1)
    single.load(0, start(step), Sampling(seed=1))
    burst(single, [0], [[1]], [3])
    saved = single.save(0)
    before = saved.state_W.tobytes()
    burst(single, [0], [[]], [5])

    assert before == saved.state_W.tobytes()
    assert 3 == saved.num_tokens


@STEPS
@pytest.mark.parametrize("num_rows", [1, 2, 3, 5, 7, 16, 33, 64])
def test_a_row_is_the_same_in_any_batch(step: Step, num_rows: int):
    """Tokens and states of a text do not depend on how many others there are, nor on the slot."""
    draw = np.random.default_rng(num_rows)
    together = decoder(step)
    slots = draw.permutation(64)[:num_rows].tolist()
    prompts = [draw.integers(0, step.vocabulary_size, draw.integers(1, 6)).tolist() for _ in slots]
    lengths = draw.integers(6, 14, num_rows).tolist()
    samplings = [SAMPLINGS[b % len(SAMPLINGS)] for b in range(num_rows)]
    for slot, sampling in zip(slots, samplings, strict=True):
        together.load(slot, start(step), sampling)
    result = burst(together, slots, prompts, lengths)

    for b, slot in enumerate(slots):
        tokens, row = alone(step, prompts[b], samplings[b], lengths[b])
        assert tokens == result.token_KB[: lengths[b], b].tolist()
        assert_same(row, together.save(slot))


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(
        st.tuples(
            st.lists(st.integers(0, 6), min_size=1, max_size=4),
            st.sampled_from(SAMPLINGS),
            st.integers(1, 12),
        ),
        min_size=1,
        max_size=6,
    ),
    random=st.randoms(use_true_random=False),
)
@pytest.mark.parametrize("step", [FakeStep(), GRAPH])
def test_rows_may_join_leave_and_pause_at_any_time(step: Step, texts, random):
    """However the steps are cut into bursts, and whoever takes part, each text is as if alone."""
    together = decoder(step, capacity=3)
    written: list[list[int]] = [[] for _ in texts]
    rows = [start(step) for _ in texts]
    left = {n: length for n, (_, _, length) in enumerate(texts)}
    while left:
        chosen = random.sample(sorted(left), min(len(left), random.randint(1, 3)))
        slots = random.sample(range(3), len(chosen))
        num_steps = [random.randint(1, left[n]) for n in chosen]
        for n, slot in zip(chosen, slots, strict=True):
            together.load(slot, rows[n], texts[n][1])
        result = burst(together, slots, [texts[n][0][len(written[n]) :] for n in chosen], num_steps)
        for b, (n, slot) in enumerate(zip(chosen, slots, strict=True)):
            written[n] += result.token_KB[: num_steps[b], b].tolist()
            rows[n] = together.save(slot)
            left[n] -= num_steps[b]
            if not left[n]:
                del left[n]

    for n, (prompt, sampling, length) in enumerate(texts):
        tokens, row = alone(step, prompt, sampling, length)
        assert tokens == written[n]
        assert_same(row, rows[n])


def test_slots_that_take_no_part_stay_as_they_are():
    """A burst touches its own rows only."""
    step = FakeStep()
    two = decoder(step, capacity=2)
    for slot in (0, 1):
        two.load(slot, start(step), Sampling(seed=slot))
        burst(two, [slot], [[slot]], [2])
    before = two.save(1)
    burst(two, [0], [[]], [4])

    assert_same(before, two.save(1))


def test_drawing_the_end_id_ends_the_row():
    """It takes no further part, and says so; its neighbour goes on."""
    step = FakeStep()
    tokens, _ = alone(step, [1], Sampling(seed=11), 12)
    end_id = tokens[4]
    first = tokens.index(end_id, 1)
    two = decoder(step, capacity=2, end_id=end_id)
    two.load(0, start(step), Sampling(seed=11))
    two.load(1, start(step), Sampling(seed=11))
    result = burst(two, [0, 1], [[1], [end_id] * 12], [12, 12])

    assert [True, False] == result.ended_B.tolist()
    assert [first + 1, 12] == result.num_steps_B.tolist()
    assert tokens[: first + 1] == result.token_KB[: first + 1, 0].tolist()
    assert {SAMPLED} == set(result.token_KB[first + 1 :, 0].tolist())
    assert first + 1 == two.save(0).num_tokens


def test_what_must_not_be_drawn_is_not_drawn():
    """Not even when it is by far the most probable."""
    step = FakeStep()
    greedy = Sampling(seed=0, temperature=0)
    favourite = alone(step, [1], greedy, 2)[0][1]
    single = decoder(step, capacity=1, never_drawn=[favourite])
    single.load(0, start(step), greedy)
    result = burst(single, [0], [[1]], [2])

    assert favourite != result.token_KB[1, 0]


def test_counts_tell_prompt_from_generated():
    """The repetition penalty looks at both, the other penalties at what was generated."""
    step = FakeStep()
    single = decoder(step, capacity=1)
    single.load(0, start(step), Sampling(seed=3))
    tokens = burst(single, [0], [[2, 2]], [8]).token_KB[:, 0]
    row = single.save(0)

    assert np.bincount(tokens[2:], minlength=7).tolist() == row.generated_V.tolist()
    assert np.isin(np.arange(7), tokens).tolist() == row.present_V.tolist()


def test_a_row_without_finite_numbers_is_named():
    """Its neighbour is not concerned."""

    class Broken(FakeStep):
        def __call__(self, token_B, state):
            logits, state = super().__call__(token_B, state)
            logits[token_B == 6] = np.nan
            return logits, state

    two = decoder(Broken(), capacity=2)
    for slot in (0, 1):
        two.load(slot, start(Broken()), Sampling(seed=1))
    result = burst(two, [0, 1], [[6], [5]], [1, 1])

    assert [False, True] == result.finite_B.tolist()


def test_logprobs_are_the_models_own():
    """Of what was drawn and of the best, whatever the temperature, and only where asked for."""
    step = GRAPH
    two = decoder(step, capacity=2)
    two.load(0, start(step), Sampling(seed=1, temperature=0.3, num_logprobs=3))
    two.load(1, start(step), Sampling(seed=2))
    first = burst(two, [0, 1], [[4], [4]], [1, 1])
    logits = two.save(0).logits_V.astype(np.float64)
    expected = logits - np.log(np.exp(logits).sum())
    result = burst(two, [0, 1], [[], []], [1, 1])

    assert first.logprobs is not None
    assert result.logprobs is not None
    assert np.isclose(expected[result.token_KB[0, 0]], result.logprobs.chosen_KB[0, 0], atol=1e-5)
    best = np.argsort(-expected, kind="stable")[:3]
    assert best.tolist() == result.logprobs.top_id_KBN[0, 0].tolist()
    assert np.allclose(expected[best], result.logprobs.top_KBN[0, 0], atol=1e-5)
    two.load(0, start(step), Sampling(seed=1))
    assert burst(two, [0, 1], [[4], []], [1, 1]).logprobs is None
