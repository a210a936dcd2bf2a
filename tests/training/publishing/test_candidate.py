"""From a checkpoint through the gates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.training.tiny import TinyRun
from training.errors import ExportError, ParityError, QualityGateError
from training.evaluation.losses import cold_loss, stateful_loss
from training.export.quantisation import quantise
from training.models.build import build_model
from training.publishing import candidate
from training.publishing.candidate import Candidate, build_candidate, build_graph
from training.runs.checkpoints import Checkpoint


def with_publish(checkpoint: Checkpoint, **changes: Any) -> Checkpoint:
    """The checkpoint with other gates."""
    config = checkpoint.identity.config
    publish = config.publish.model_copy(update=changes)
    return checkpoint.with_config(config.model_copy(update={"publish": publish}))


def test_served_losses_are_torchs_losses(tiny_run: TinyRun, tiny_candidate: Candidate) -> None:
    """Two programs, one figure; and int8 stands beside it."""
    checkpoint = tiny_run.checkpoint
    ids = tiny_run.tokens.validation
    losses = {(e.method, e.precision): e.nats_per_token for e in tiny_candidate.evaluations}
    assert losses.keys() == {
        (method, precision)
        for method in ("stateful", "cold-256")
        for precision in ("float32", "int8")
    }
    model = checkpoint.model()
    assert losses["stateful", "float32"] == pytest.approx(stateful_loss(model, ids).nats, rel=1e-5)
    assert losses["cold-256", "float32"] == pytest.approx(cold_loss(model, ids).nats, rel=1e-5)
    assert losses["stateful", "int8"] != losses["stateful", "float32"]
    assert losses["stateful", "int8"] == pytest.approx(losses["stateful", "float32"], rel=0.01)


def test_float32_can_be_asked_for(tiny_run: TinyRun) -> None:
    """Then int8 is neither made nor measured."""
    checkpoint = with_publish(tiny_run.checkpoint, precision="float32")
    chosen = build_candidate(checkpoint, tiny_run.held_out)
    assert chosen.precision == "float32"
    assert {e.precision for e in chosen.evaluations} == {"float32"}
    assert "MatMulInteger" not in [node.op_type for node in chosen.graph.graph.node]


def test_worse_int8_is_refused(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantiser that loses too much does not get past the gate."""

    def ruin(graph: Any) -> Any:
        result = quantise(graph)
        [scale] = [t for t in result.graph.initializer if t.name == "output.projection.scale"]
        scale.raw_data = bytes(len(scale.raw_data))
        return result

    monkeypatch.setattr(candidate, "quantise", ruin)
    checkpoint = tiny_run.checkpoint
    with pytest.raises(QualityGateError, match="int8 raises the perplexity"):
        build_candidate(checkpoint, tiny_run.held_out)


def test_the_test_part_decides_nothing(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are published, whatever they are; the gate looks at the validation text."""
    seen: list[tuple[float, float]] = []
    monkeypatch.setattr(
        candidate,
        "check_quality",
        lambda one, other, _: seen.append((one.nats, other.nats)),
    )
    validation = tiny_run.held_out
    test = replace(validation, part="test", ids=validation.ids[:400])
    chosen = build_candidate(tiny_run.checkpoint, validation, test)
    assert {e.part for e in chosen.evaluations} == {"test"}
    alone = build_candidate(tiny_run.checkpoint, validation)
    assert {e.part for e in alone.evaluations} == {"validation"}
    assert seen[0] == seen[1]
    assert chosen.evaluations[0].nats_per_token != alone.evaluations[0].nats_per_token


def test_int8_of_outputs_without_a_bound_is_refused(tiny_run: TinyRun) -> None:
    """Also where a config was not asked: they would be clipped."""
    config = tiny_run.config
    model = config.model.model_copy(update={"projection_size": 8})
    identity = tiny_run.checkpoint.identity.model_copy(
        update={"config": config.model_copy(update={"model": model})}
    )
    weights = build_model(model, identity.tokenizer.vocabulary_size).state_dict()
    checkpoint = replace(tiny_run.checkpoint, identity=identity, weights=weights)
    assert build_graph(checkpoint, "float32").graph.node
    with pytest.raises(ExportError, match=r"model\.projection_size have no bound"):
        build_graph(checkpoint, "int8")


def test_parity_stops_everything_after_it(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tolerance that float32 cannot meet nothing is measured."""
    checkpoint = with_publish(tiny_run.checkpoint, parity_tolerance=1e-12)
    monkeypatch.setattr(candidate, "stateful_loss", lambda *_: pytest.fail("measured anyway"))
    with pytest.raises(ParityError):
        build_candidate(checkpoint, tiny_run.held_out)
