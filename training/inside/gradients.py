"""Which earlier tokens made the next one probable: gradients, by torch on the published weights.

The published graph holds the weights under the names of the modules that they came from, in int8 as
levels and scales. From these the step is put together again in torch; what is lost is only the
rounding of activations to 1/127, which has no gradient. `Attribution.difference` says how much.

How much token s contributes to token t, for the input x_s of the first layer and the mean x of all
tokens:

    (x_s - mean x) . d ln p_t / d x_s

the first-order change of ln p_t were token s an average one: gradient times input with a baseline
(Simonyan et al. 2013, arXiv:1312.6034; Shrikumar et al. 2016, arXiv:1605.01713).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from service.artifacts.manifest import Manifest
from service.rows.arrays import Float32, Int64
from service.runtime.logprobs import logprobs
from service.runtime.step import StepGraph
from training.config.files import checked
from training.config.model import ModelConfig
from training.errors import ExportError
from training.export.quantisation import ACTIVATION_SCALE
from training.export.step_graph import able_to_write
from training.models.build import build_model
from training.models.step import LanguageModelStep

_MOST_DIFFERENCE = 0.5
"""In nats; the rounding of activations makes 0.02 and 0.06 in the bundled models."""


@dataclass(frozen=True)
class Attribution:
    """Contributions of tokens to others.

    Attributes:
        share_KT: Of token s to the log-probability of each of the last K tokens, in nats,
            float32[K, T]; 0 for tokens that are not before it.
        logprob_K: Of the last K tokens, by torch.
        difference: Largest difference between torch and the published graph in a log-probability.
    """

    share_KT: Float32
    logprob_K: Float32
    difference: float


def attribution(
    graph: onnx.ModelProto, manifest: Manifest, id_T: Int64, num_targets: int
) -> Attribution:
    """Contributions to the last tokens of a text that is read from the start state.

    Args:
        graph: The published one.
        manifest: Says of what model it is.
        id_T: The text; at least one token more than targets.
        num_targets: K.

    Raises:
        ConfigError: The manifest does not say of what the graph was made.
        ExportError: Weights are not where this program puts them, or make another model there.
    """
    step = step_of_graph(graph, manifest)
    table_VG = step.table.clone()
    rows_TG = table_VG[torch.from_numpy(id_T)].requires_grad_()
    step.table = rows_TG
    state = [torch.zeros(1, width) for width in step.state_widths.values()]
    told = []
    for place in range(len(id_T) - 1):
        logits_1V, state, _ = step.read(torch.tensor([place]), *state)
        told.append(logits_1V.log_softmax(1)[0, int(id_T[place + 1])])
    centred_TG = (rows_TG - table_VG.mean(0)).detach()
    share_KT = np.zeros((num_targets, len(id_T)), np.float32)
    for k in range(num_targets):
        target = told[len(told) - num_targets + k]
        [gradient_TG] = torch.autograd.grad(target, rows_TG, retain_graph=True)
        share_KT[k] = (gradient_TG * centred_TG).sum(1).numpy()
    told_T = torch.stack(told).detach().numpy()
    difference = float(np.abs(told_T - _by_the_graph(graph, step, id_T)).max())
    if not difference < _MOST_DIFFERENCE:
        raise ExportError(
            f"the weights of {manifest.ref} make another model in torch: it differs by "
            f"{difference:.3g} nats in a log-probability"
        )
    return Attribution(share_KT, told_T[-num_targets:], difference)


def step_of_graph(graph: onnx.ModelProto, manifest: Manifest) -> LanguageModelStep:
    """The published step in torch, in float32.

    Raises:
        ConfigError, ExportError: As `attribution`.
    """
    where = f"{manifest.ref}, provenance.config.model"
    config = checked(ModelConfig, manifest.provenance.config.get("model"), where)
    step = LanguageModelStep(able_to_write(build_model(config, manifest.vocabulary_size))).eval()
    stored = {tensor.name: tensor for tensor in graph.graph.initializer}
    for name, buffer in step.named_buffers():
        weight = _weight(stored, name)
        if weight is None:  # folded into another one
            continue
        if weight.shape != buffer.shape:
            raise ExportError(f"{name} of {manifest.ref} is not of the shape that it should be")
        buffer.copy_(torch.from_numpy(weight))
    # Single numbers are constants of the equations.
    weights = {
        name.removesuffix(".s8").removesuffix(".scale")
        for name, tensor in stored.items()
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.INT8)
        and max(tensor.dims, default=1) > 1
    }
    if unknown := weights - {name for name, _ in step.named_buffers()}:
        raise ExportError(f"{manifest.ref} has weights that this program's step has not: {unknown}")
    return step


def _weight(stored: dict[str, onnx.TensorProto], name: str) -> Float32 | None:
    if name in stored:
        return np.array(numpy_helper.to_array(stored[name]), np.float32)
    if f"{name}.s8" not in stored:
        return None
    levels_KN = numpy_helper.to_array(stored[f"{name}.s8"]).astype(np.float32)
    scale_N = numpy_helper.to_array(stored[f"{name}.scale"]) / np.float32(ACTIVATION_SCALE)
    weight_KN: Float32 = (levels_KN * scale_N).astype(np.float32)
    return weight_KN


def _by_the_graph(graph: onnx.ModelProto, step: LanguageModelStep, id_T: Int64) -> Float32:
    served = StepGraph(graph.SerializeToString(), state_names=step.state_names)
    state, found = served.zero_state(1), []
    for place in range(len(id_T) - 1):
        logits_1V, state = served(id_T[place : place + 1], state)
        found.append(logprobs(logits_1V, id_T[place + 1 : place + 2], 0)[0][0])
    return np.array(found, np.float32)
