"""From a trained model to the step graph: an ONNX file that explains itself.

Inputs `token` int64[B] and `state.<name>` float32[B, width]; outputs `logits` float32[B, V] and
`next_state.<name>`. B is dynamic, all weights are inside of the file, and its metadata says what
it is. The gates are values inside of it that are called `layer<n>.<gate>` (decision 027).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import onnx
import torch

from training.config.model import ModelConfig
from training.errors import ExportError
from training.models.language_model import LanguageModel, RecurrentLanguageModel
from training.models.step import ShownStep

OPSET = 18


def export_step(model: LanguageModel, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """The step graph of a model in float32.

    Raises:
        ExportError: the model cannot be one, or the exporter failed or made something else.
    """
    step = ShownStep(able_to_write(model)).eval()
    # Two rows: torch.export would take a batch of one for a constant.
    token = torch.zeros(2, dtype=torch.int64)
    state = tuple(torch.zeros(2, width) for width in step.state_widths.values())
    batch = {0: torch.export.Dim("B", min=1)}
    with _quiet_exporter():
        program = torch.onnx.export(
            step,
            (token, *state),
            dynamo=True,
            opset_version=OPSET,
            input_names=["token", *(f"state.{name}" for name in step.state_names)],
            output_names=[
                "logits",
                *(f"next_state.{name}" for name in step.state_names),
                *step.gate_names,
            ],
            dynamic_shapes=(batch, tuple(batch for _ in state)),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export returned no program")
    graph = program.model_proto
    # The gates are no results of a step: they were, so that they have their names.
    del graph.graph.output[1 + len(step.state_names) :]
    _strip_build_traces(graph)
    onnx.helper.set_model_props(graph, dict(metadata))
    try:
        onnx.checker.check_model(graph, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the exported graph is not valid ONNX: {error}") from error
    return graph


def able_to_write(model: LanguageModel) -> RecurrentLanguageModel:
    """The model, if it tells the next token from the past alone.

    Raises:
        ExportError: it does not.
    """
    if not isinstance(model, RecurrentLanguageModel):
        raise ExportError(
            "model.bidirectional: it tells a token from what comes after it as well, and a step "
            "that writes has not seen that; such a model can be trained and evaluated only"
        )
    return model


def metadata_of(config: ModelConfig, name: str, code_version: str) -> dict[str, str]:
    """What the file says about itself."""
    return {
        "name": name,
        "architecture": config.architecture,
        "precision": "float32",
        "code_version": code_version,
        **{key: str(value) for key, value in sizes_of(config).items()},
    }


def sizes_of(config: ModelConfig) -> dict[str, int]:
    """The sizes of the architecture, by name."""
    sizes = {
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "embedding_size": config.embedding_size,
    }
    if config.projection_size is not None:
        sizes["projection_size"] = config.projection_size
    return sizes


def _strip_build_traces(graph: onnx.ModelProto) -> None:
    """The exporter notes for each node in which file of this machine it began; remove that."""
    for part in (graph.graph.node, graph.graph.value_info, graph.graph.input, graph.graph.output):
        for item in part:
            del item.metadata_props[:]
            item.doc_string = ""
    for tensor in graph.graph.initializer:
        del tensor.metadata_props[:]
    del graph.graph.metadata_props[:]
    graph.graph.doc_string = ""
    graph.doc_string = ""
    graph.graph.name = "step"


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of its own insides and logs that torchvision is missing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
