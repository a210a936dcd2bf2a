import numpy as np
import pytest

from service.runtime.step import StepGraph
from tests import tiny_model


@pytest.fixture(scope="module")
def step():
    """The tiny model."""
    return StepGraph(tiny_model.step_graph())


def test_the_graph_says_what_it_is(step):
    """Names, widths and vocabulary are read from the graph's inputs and outputs."""
    assert ("h", "c") == step.state_names
    assert (tiny_model.WIDTH, tiny_model.WIDTH) == step.state_widths
    assert tiny_model.VOCABULARY_SIZE == step.vocabulary_size


def test_the_start_state_is_zero(step):
    """One row of zeros for every text, in float32."""
    state = step.zero_state(3)

    assert [(3, width) for width in step.state_widths] == [part.shape for part in state]
    assert all(part.dtype == np.float32 and not part.any() for part in state)


def test_a_step_leaves_its_input_alone(step):
    """The next state is newly made; the one before can be read again."""
    token_B = np.array([3, 5], np.int64)
    state = step.zero_state(2)
    logits, _ = step(token_B, state)
    again, _ = step(token_B, state)

    assert logits.tobytes() == again.tobytes()
    assert not any(part.any() for part in state)


def test_the_order_of_the_state_is_the_callers():
    """Tensors are told apart by name: another order permutes the state, and nothing else."""
    graph = tiny_model.step_graph()
    one, other = StepGraph(graph), StepGraph(graph, state_names=["c", "h"])
    token_B = np.array([3], np.int64)
    _, (h, c) = one(token_B, one.zero_state(1))
    logits, _ = one(token_B, (h, c))
    swapped, _ = other(token_B, (c, h))

    assert logits.tobytes() == swapped.tobytes()
