"""A little grammar for writing ONNX graphs as expressions: `g.op("Add", a, b)`."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Names:
    """Makes value names that no other graph uses, and keeps the constants that go with them.

    Args:
        taken: Names that exist already.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._prefix = "burst."
        while any(name.startswith(self._prefix) for name in taken):
            self._prefix = "_" + self._prefix
        self._count = itertools.count()
        self.constants: dict[str, onnx.TensorProto] = {}

    def of(self, name: str) -> str:
        """The name that stands for `name`."""
        return self._prefix + name

    def fresh(self) -> str:
        """A name that was never given before."""
        return f"{self._prefix}{next(self._count)}"

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """The name of a constant; equal ones are the same."""
        array = np.asarray(value, dtype)
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        name = self.of(f"{array.dtype}{list(array.shape)}{digest}")
        self.constants[name] = numpy_helper.from_array(array, name)
        return name


class Nodes:
    """The nodes of one graph, in order. A branch of it is another one, and sees all its values."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        output = output or self.names.fresh()
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def ops(self, kind: str, *inputs: str, num_outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        outputs = [self.names.fresh() for _ in range(num_outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def handed_on(self, values: Sequence[str]) -> list[str]:
        """Values of a graph around this one, as some of this one."""
        return [self.op("Identity", value) for value in values]

    def either(
        self, condition: str, then: Callable[[Nodes], str], otherwise: Callable[[Nodes], str]
    ) -> str:
        """The value of one of two branches; only that one is computed.

        Args:
            condition: A scalar bool.
            then: Writes a branch into the nodes that it is given; returns its value.
            otherwise: The same for when the condition is false.
        """

        def made(write: Callable[[Nodes], str]) -> Callable[[Nodes], list[str]]:
            # A branch's value must be made inside of it.
            return lambda branch: branch.handed_on([write(branch)])

        return self.one_of(condition, made(then), made(otherwise))[0]

    def one_of(
        self,
        condition: str,
        then: Callable[[Nodes], list[str]],
        otherwise: Callable[[Nodes], list[str]],
    ) -> list[str]:
        """The same for several values, each of them made in its branch."""
        branches = []
        for name, write in (("then", then), ("else", otherwise)):
            branch = Nodes(self.names)
            branches.append(branch.graph(name, [], write(branch)))
        then_branch, else_branch = branches
        return self.ops(
            "If",
            condition,
            num_outputs=len(then_branch.output),
            then_branch=then_branch,
            else_branch=else_branch,
        )

    def graph(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[str],
    ) -> onnx.GraphProto:
        """All of it as a graph; the runtime infers the types of its outputs."""
        values = [helper.make_empty_tensor_value_info(output) for output in outputs]
        return helper.make_graph(self.nodes, name, list(inputs), values, self.weights)
