"""The ceilings: the graphs of a model in a loop, with nothing around them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
import onnx

from service.artifacts.store import Artifact
from service.runtime.burst import BurstDecoder
from service.runtime.burst_graph import build_burst_graph
from service.runtime.cores import usable_cores
from service.runtime.decoder import SAMPLED
from service.runtime.onnx_session import load_session
from service.runtime.penalty_graph import penalty_values
from service.runtime.sampler_graph import option_values, rule_values
from service.runtime.sampling import SamplingTable
from service.runtime.step import StepGraph

BURST_STEPS = 16
_TEMPERATURE = 0.8


@dataclass(frozen=True)
class Model:
    """A step graph and how its state is ordered."""

    graph: onnx.ModelProto
    state_names: list[str]

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The step graph of a published model."""
        content = artifact.read(artifact.manifest.model_file)
        names = [tensor.name for tensor in artifact.manifest.state]
        return cls(onnx.load_model_from_string(content), names)

    @classmethod
    def random(cls, vocabulary_size: int) -> Self:
        """A 2x512 LSTM of random int8 weights, about as sure of itself as a trained one."""
        import torch

        from training.config.model import ModelConfig
        from training.export.quantisation import quantise
        from training.export.step_graph import export_step
        from training.models.build import build_model

        torch.manual_seed(0)
        model = build_model(ModelConfig(), vocabulary_size)
        with torch.no_grad():
            model.get_parameter("output.weight").normal_(std=0.5)
        return cls(
            quantise(export_step(model, {})), ["layer0.h", "layer0.c", "layer1.h", "layer1.c"]
        )

    def decoder(self, capacity: int, num_threads: int | None = None) -> BurstDecoder:
        """The decoder that serves it, on all cores unless said otherwise."""
        return BurstDecoder(
            self.graph,
            self.state_names,
            capacity=capacity,
            num_threads=num_threads or usable_cores(),
        )


class BareStep:
    """The step graph, one run for each token: no sampling."""

    def __init__(self, model: Model, num_rows: int) -> None:
        self._step = StepGraph(
            model.graph.SerializeToString(),
            num_threads=usable_cores(),
            state_names=model.state_names,
        )
        self._token_B = np.zeros(num_rows, np.int64)
        self._state = self._step.zero_state(num_rows)

    def run(self) -> int:
        """One step; returns the number of tokens."""
        _, self._state = self._step(self._token_B, self._state)
        return len(self._token_B)


class BareBurst:
    """The burst graph, one run for 16 tokens of each row, drawn at temperature 0.8."""

    def __init__(self, model: Model, num_rows: int, num_threads: int | None = None) -> None:
        graph = build_burst_graph(model.graph, model.state_names)
        self._session = load_session(graph.content, num_threads=num_threads or usable_cores())
        step = StepGraph(model.graph.SerializeToString(), state_names=model.state_names)
        logits_BV, state = step(np.zeros(num_rows, np.int64), step.zero_state(num_rows))
        size = (BURST_STEPS, num_rows)
        vocabulary_size = logits_BV.shape[1]
        table = SamplingTable.neutral(num_rows, vocabulary_size)
        table["temperature"][:] = _TEMPERATURE
        random = np.random.default_rng(0)
        values = {
            "num_steps": np.array(BURST_STEPS),
            "forced_KB": np.full(size, SAMPLED),
            "uniform_KB": random.random(size, np.float32),
            "draws_K": np.ones(BURST_STEPS, np.bool_),
            "heads_K": np.ones(BURST_STEPS, np.bool_),
            "steps_B1": np.full((num_rows, 1), BURST_STEPS),
            "freezes": np.array(False),
            "draws_next": np.array(False),
            "interrupted": np.array(False),
            "wants_logits": np.array(False),
            "told_L": np.zeros(0, np.int64),
            "num_top_1": np.zeros(1, np.int64),
            "logits": logits_BV,
            **option_values(table, vocabulary_size),
            **rule_values(None, BURST_STEPS),
            **penalty_values(table, np.zeros((0, 0), np.bool_), np.zeros((0, 0), np.int32)),
        }
        names = [f"state.{name}" for name in model.state_names]
        values |= dict(zip(names, state, strict=True))
        self._feed = {graph.inputs[name]: value for name, value in values.items()}
        self._outputs = graph.outputs
        self._num_tokens = num_rows * BURST_STEPS

    def run(self) -> int:
        """One burst; returns the number of tokens."""
        self._session.run(self._outputs, self._feed)
        return self._num_tokens


class BareBursts:
    """A burst graph of one thread for each core, all at once, each with its part of the rows."""

    def __init__(self, model: Model, num_rows: int) -> None:
        num_graphs = min(usable_cores(), num_rows)
        self._graphs = [
            BareBurst(model, (num_rows + n) // num_graphs, num_threads=1) for n in range(num_graphs)
        ]
        self._threads = ThreadPoolExecutor(num_graphs)

    def run(self) -> int:
        """A few bursts of each; returns the number of tokens."""
        return sum(self._threads.map(self._run, self._graphs))

    @staticmethod
    def _run(graph: BareBurst) -> int:
        return sum(graph.run() for _ in range(8))
