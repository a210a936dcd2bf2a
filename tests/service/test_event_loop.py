import pytest
from blockbuster import BlockingError

from service.artifacts.store import ModelStore
from tests import tiny_model


@pytest.fixture
def store(tmp_path):
    """A store with a model."""
    tiny_model.publish(tmp_path)
    return ModelStore(tmp_path)


async def test_a_call_that_blocks_the_event_loop_fails(store):
    """Reading a model's files from a coroutine is such a call."""
    with pytest.raises(BlockingError):
        store.verify("tiny", 1)


def test_outside_of_an_event_loop_nothing_is_forbidden(store):
    """Models are loaded before there is one."""
    assert "tiny@1" == store.verify("tiny", 1).ref
