"""A candidate: a checkpoint turned into graphs, measured, and let through the gates or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import onnx

from service.artifacts.manifest import Evaluation, Parity
from training.batches.shares import Shares
from training.batches.token_files import Ids, TokenFiles
from training.corpora.corpus import Corpus, HeldOutPart
from training.errors import ExportError, QualityGateError
from training.evaluation.losses import Loss, cold_loss, stateful_loss
from training.export.activations import check_gates, check_told
from training.export.parity import check_parity
from training.export.quantisation import quantise
from training.export.step_graph import able_to_write, export_step, metadata_of
from training.models.step import ShownStep
from training.runs.checkpoints import Checkpoint
from training.runs.code_version import code_version
from training.served.reader import StepReader
from training.served.step_model import StepModel
from training.tokenization.tokenizer import TextTokenizer
from training.yardsticks.measured import Yardsticks, yardsticks_of


def step_model(checkpoint: Checkpoint, graph: onnx.ModelProto | None = None) -> StepModel:
    """A checkpoint as it would be served, in float32 or by a graph that was made of it.

    Raises:
        ExportError: it cannot be.
    """
    identity = checkpoint.identity
    return StepModel(
        f"{identity.config.name}, step {checkpoint.position.step:,}",
        graph or build_graph(checkpoint, "float32"),
        tuple(able_to_write(checkpoint.model()).state_widths),
        identity.tokenizer,
    )


@dataclass(frozen=True)
class HeldOut:
    """A text that was not trained on."""

    part: HeldOutPart
    ids: Ids
    num_characters: int
    unknown_id: int | None = None
    """The sign for everything unknown, if the tokenizer has one."""

    @classmethod
    def of(
        cls, part: HeldOutPart, corpus: Corpus, tokens: TokenFiles, tokenizer: TextTokenizer
    ) -> HeldOut:
        """A part of a corpus, and its tokens."""
        num_characters = corpus.held_out(part).num_characters
        return cls(part, tokens.held_out(part), num_characters, tokenizer.special_ids.unknown)

    @cached_property
    def shares(self) -> Shares:
        """What its tokens are."""
        return Shares.of(self.ids, self.num_characters, self.unknown_id)


def yardsticks_for(
    held_out: HeldOut, corpus: Corpus, tokens: TokenFiles, tokenizer: TextTokenizer
) -> Yardsticks:
    """What costs the same tokens without a network."""
    return yardsticks_of(
        tokens.train,
        held_out.ids,
        corpus.held_out(held_out.part),
        vocabulary_size=tokenizer.vocabulary_size,
        num_characters=held_out.num_characters,
        are_items=corpus.has_items,
    )


@dataclass(frozen=True)
class Candidate:
    """Everything that publishing needs to know of the graphs of one checkpoint."""

    graph: onnx.ModelProto
    """The one to be served."""
    precision: Literal["float32", "int8"]
    gates: Mapping[str, str]
    """What it calls each gate, `layer<n>.<gate>`."""
    parity: Parity
    evaluations: tuple[Evaluation, ...]
    """On the held-out text; the graph to be served first."""


def build_graph(checkpoint: Checkpoint, precision: Literal["float32", "int8"]) -> onnx.ModelProto:
    """The step graph of a checkpoint.

    Raises:
        ExportError: the exporter failed, or the model has no int8.
    """
    config = checkpoint.identity.config
    model = able_to_write(checkpoint.model())
    if precision == "int8" and not all(layer.is_bounded for layer in model.stack.recurrent_layers):
        raise ExportError(
            "int8 needs outputs of layers in [-1, 1], and those of model.projection_size have no "
            "bound: take float32"
        )
    metadata = metadata_of(config.model, config.name, code_version())
    graph = export_step(model, metadata)
    return graph if precision == "float32" else quantise(graph)


def build_candidate(
    checkpoint: Checkpoint, validation: HeldOut, test: HeldOut | None = None
) -> Candidate:
    """Export, compare with torch, quantise, and measure on held-out text.

    Args:
        checkpoint: What is to be published.
        validation: Decides whether int8 is good enough.
        test: What the figures are of; of the validation text, where there is no such part.

    Raises:
        ExportError: the exporter failed.
        ParityError: torch and the serving runtime disagree, in results or in gates.
        QualityGateError: int8 loses more than `publish.max_perplexity_increase`.
    """
    config = checkpoint.identity.config
    seed, tolerance = config.training.seed, config.publish.parity_tolerance
    model, float_graph = able_to_write(checkpoint.model()), build_graph(checkpoint, "float32")
    parity = check_parity(model, float_graph, tolerance=tolerance, seed=seed)
    gates = {name: name for name in ShownStep(model).gate_names}
    check_gates(model, float_graph, gates, tolerance=tolerance, seed=seed)
    published = test or validation
    if config.publish.precision == "float32":
        check_told(float_graph, gates, seed)
        evaluations = _evaluate(float_graph, "float32", published)
        return Candidate(float_graph, "float32", gates, parity, evaluations)
    graph = quantise(float_graph)
    check_told(graph, gates, seed)
    before, after = (
        stateful_loss(StepReader.of_graph(g), validation.ids) for g in (float_graph, graph)
    )
    check_quality(before, after, config.publish.max_perplexity_increase)
    # One pass over a long text takes minutes: not twice over the same.
    known = (before, after) if test is None else (None, None)
    of_float = _evaluate(float_graph, "float32", published, known[0])
    of_int8 = _evaluate(graph, "int8", published, known[1])
    return Candidate(graph, "int8", gates, parity, of_int8 + of_float)


def check_quality(reference: Loss, quantised: Loss, max_increase: float) -> None:
    """Compare perplexities.

    Raises:
        QualityGateError: the increase is above `max_increase` (0.005: half a per cent).
    """
    increase = quantised.perplexity / reference.perplexity - 1.0
    # Written so that NaN does not pass.
    if not increase <= max_increase:
        raise QualityGateError(
            f"int8 raises the perplexity from {reference.perplexity:.4f} to "
            f"{quantised.perplexity:.4f} ({increase:+.2%}); publish.max_perplexity_increase allows "
            f"{max_increase:+.2%}. publish.precision = 'float32' publishes without int8"
        )


def _evaluate(
    graph: onnx.ModelProto,
    precision: Literal["float32", "int8"],
    held_out: HeldOut,
    stateful: Loss | None = None,
) -> tuple[Evaluation, ...]:
    reader = StepReader.of_graph(graph)
    losses: dict[Literal["stateful", "cold-256"], Loss] = {
        "stateful": stateful or stateful_loss(reader, held_out.ids),
        "cold-256": cold_loss(reader, held_out.ids),
    }
    return tuple(
        Evaluation(
            method=method,
            precision=precision,
            part=held_out.part,
            num_tokens=loss.num_tokens,
            nats_per_token=loss.nats,
            bits_per_character=held_out.shares.bits_per_character(loss.nats),
            perplexity=loss.perplexity,
            unknown_share=held_out.shares.unknown,
        )
        for method, loss in losses.items()
    )
