"""Which value of one step graph is which of another: those that are computed in the same way.

For graphs that were published before their values had names (decision 027). Two values are alike if
the same operators, with the same attributes, make them of the same inputs and of weights with the
same names. What is in the weights makes no difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import onnx

from training.errors import ExportError


def values_alike(
    names: Iterable[str], known: onnx.GraphProto, other: onnx.GraphProto
) -> dict[str, str]:
    """What `other` calls the values that `known` calls by `names`.

    Raises:
        ExportError: one of them has no counterpart, or several.
    """
    wanted, found = _recipes(known), _recipes(other)
    named: dict[bytes, list[str]] = {}
    for name, recipe in found.items():
        named.setdefault(recipe, []).append(name)
    result = {}
    for name in names:
        alike = named.get(wanted[name], [])
        if len(alike) != 1:
            raise ExportError(
                f"the published graph has {len(alike)} values that are made as {name} is: it was "
                "exported by a program whose step is another one"
            )
        result[name] = alike[0]
    return result


def _recipes(graph: onnx.GraphProto) -> dict[str, bytes]:
    """How each value is made, as a digest."""
    recipes = {value.name: _digest(b"input", value.name.encode()) for value in graph.input}
    for tensor in graph.initializer:
        # The exporter numbers its integers; weights it names after the module that holds them.
        is_weight = tensor.data_type != onnx.TensorProto.INT64
        content = tensor.name.encode() if is_weight else tensor.raw_data
        recipes[tensor.name] = _digest(b"weight", content, bytes(str(tensor.dims), "ascii"))
    for node in graph.node:
        attributes = [
            a.SerializeToString(deterministic=True)
            for a in sorted(node.attribute, key=lambda attribute: attribute.name)
        ]
        made_of = [recipes[name] if name else b"" for name in node.input]
        for n, output in enumerate(node.output):
            recipes[output] = _digest(node.op_type.encode(), str(n).encode(), *attributes, *made_of)
    return recipes


def _digest(*parts: bytes) -> bytes:
    digests = (hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(b"".join(digests)).digest()
