from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from service.artifacts.errors import GraphError
from service.artifacts.graph import check_step_graph
from service.artifacts.store import read_manifest
from tests import tiny_model

_PATH = Path("model.onnx")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """The manifest of the tiny model."""
    return read_manifest(tiny_model.publish(tmp_path_factory.mktemp("store")))


@pytest.fixture
def model():
    """The tiny step graph, to be spoilt."""
    return onnx.load_model_from_string(tiny_model.step_graph())


def test_a_step_graph_is_accepted(manifest, model):
    """As it was published."""
    check_step_graph(_PATH, model.SerializeToString(), manifest)


def _value(values, name):
    return next(value for value in values if value.name == name)


def _dimension(model, name, axis):
    values = [*model.graph.input, *model.graph.output]
    return _value(values, name).type.tensor_type.shape.dim[axis]


def _foreign_operator(model):
    model.graph.node[0].domain = "com.example"


def _foreign_import(model):
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _foreign_operator_in_branch(model):
    inner = helper.make_graph([helper.make_node("Evil", [], ["x"], domain="evil")], "inner", [], [])
    model.graph.node.append(
        helper.make_node("If", ["token"], ["y"], then_branch=inner, else_branch=inner)
    )


def _foreign_operator_in_list(model):
    inner = helper.make_graph([helper.make_node("Evil", [], ["x"], domain="evil")], "inner", [], [])
    node = helper.make_node("Odd", ["token"], ["y"])
    node.attribute.append(helper.make_attribute("branches", [inner]))
    model.graph.node.append(node)


def _external(tensor):
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")


def _external_attribute(model):
    tensor = helper.make_tensor("inside", TensorProto.FLOAT, [1], [0.0])
    _external(tensor)
    model.graph.node.append(helper.make_node("Constant", [], ["x"], value=tensor))


def _external_sparse_attribute(model):
    values = helper.make_tensor("values", TensorProto.FLOAT, [1], [0.0])
    indices = helper.make_tensor("indices", TensorProto.INT64, [1], [0])
    _external(values)
    sparse = helper.make_sparse_tensor(values, indices, [1])
    model.graph.node.append(helper.make_node("Constant", [], ["x"], sparse_value=sparse))


def _sparse(model):
    model.graph.sparse_initializer.add()


def _function(model):
    model.functions.add(name="mine", domain="")


def _set(name, axis, **change):
    def spoil(model):
        dimension = _dimension(model, name, axis)
        dimension.Clear()
        for field, value in change.items():
            setattr(dimension, field, value)

    return spoil


def _rename(model):
    for node in model.graph.node:
        node.input[:] = ["ids" if name == "token" else name for name in node.input]
    model.graph.input[0].name = "ids"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_foreign_operator, "Gather is of the domain 'com.example'"),
        (_foreign_import, "domain 'com.microsoft'"),
        (_foreign_operator_in_branch, "Evil is of the domain 'evil'"),
        (_foreign_operator_in_list, "Evil is of the domain 'evil'"),
        (lambda m: _external(m.graph.initializer[0]), "'table' lies outside"),
        (_external_attribute, "'inside' lies outside"),
        (_external_sparse_attribute, "lies outside|sparse"),
        (_sparse, "sparse"),
        (_function, "function of its own, 'mine'"),
        (lambda m: setattr(m.opset_import[0], "version", 17), "opset 17; 18"),
        (lambda m: m.ClearField("opset_import"), "opset 0"),
        (_rename, "has inputs .*'ids'.*, the contract .*'token'"),
        (lambda m: m.graph.output.pop(), "has outputs"),
        (_set("token", 0, dim_value=1), "input 'token' has no dynamic batch axis"),
        (_set("logits", 0, dim_value=8), "output 'logits' has no dynamic batch axis"),
        (_set("logits", 1, dim_value=9), "output 'logits' has shape"),
        (_set("state.h", 1, dim_value=9), "'state.h' has shape"),
        (_set("state.h", 1, dim_param="W"), "'state.h' has shape .*None"),
        (lambda m: m.graph.node.pop(), "not a valid ONNX model"),
    ],
)
def test_what_is_no_step_graph_is_refused(manifest, model, spoil, reason):
    """With the file and the reason."""
    spoil(model)

    with pytest.raises(GraphError, match=reason) as caught:
        check_step_graph(_PATH, model.SerializeToString(), manifest)

    assert _PATH == caught.value.path


def test_a_token_of_another_type_is_refused(manifest, model):
    """The contract says int64."""
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32

    with pytest.raises(GraphError, match="'token' is not of type INT64"):
        check_step_graph(_PATH, model.SerializeToString(), manifest)


@pytest.mark.parametrize("content", [b"", b"nonsense", tiny_model.step_graph()[:-7]])
def test_bytes_that_are_no_model_are_refused(manifest, content):
    """Nothing, noise, and a file that was cut."""
    with pytest.raises(GraphError):
        check_step_graph(_PATH, content, manifest)
