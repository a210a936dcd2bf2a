"""What is checked of a model before it serves."""

import pytest

from service.artifacts.errors import GraphError, NotRunnable, TokenizerError
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.models.checked import CheckedModel
from tests import tiny_model
from tests.service.models.stores import DAMAGED


def _checked(root, name="tiny"):
    return CheckedModel.of(ModelStore(root), Reference(name, 1))


def test_a_whole_model_can_be_run(tmp_path):
    """It has been, in the smallest batch and in the largest one."""
    tiny_model.publish(tmp_path)
    decoder = _checked(tmp_path).decoder(capacity=3, num_threads=1)

    assert 3 == decoder.capacity


@pytest.mark.parametrize("kind", ["not loaded", "not run"])
def test_what_onnxruntime_cannot_do_is_the_fault_of_the_graph(tmp_path, kind):
    """It passes every check of the contract."""
    folder = DAMAGED[kind](tmp_path, "tiny", 1)
    model = _checked(tmp_path)

    with pytest.raises(NotRunnable, match=r"cannot be run: .*ONNXRuntimeError") as caught:
        model.decoder(capacity=2, num_threads=1)
    assert folder / "model.onnx" == caught.value.path


@pytest.mark.parametrize(
    ("kind", "error"),
    [("no graph", GraphError), ("no tokenizer", TokenizerError), ("panic", TokenizerError)],
)
def test_a_part_that_is_none_is_named(tmp_path, kind, error):
    """Also one at which a library panics."""
    DAMAGED[kind](tmp_path, "tiny", 1)

    with pytest.raises(error):
        _checked(tmp_path)


def test_a_name_alone_is_no_version(tmp_path):
    """Whoever loads has chosen one."""
    with pytest.raises(ValueError, match="tiny is no version"):
        CheckedModel.of(ModelStore(tmp_path), Reference("tiny"))
