"""Putting a candidate into the model store: all of a version, or nothing of it.

The folder is written by the store under a temporary name, flushed, and renamed into place; a
version that exists is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

from service.artifacts.activations import ACTIVATIONS_FILE, ActivationTable
from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.manifest import (
    MANIFEST_FILE,
    Corpus,
    FileEntry,
    Inventions,
    Manifest,
    Provenance,
    StateTensor,
)
from service.artifacts.store import Artifact, ModelStore, sha256_of
from service.artifacts.training_record import (
    TRAINING_FILE,
    CurvePoint,
    Sample,
    TrainingRecord,
)
from service.runtime.sampling import Sampling, SamplingOptions
from training.config.paths import path_of, shown
from training.disk import cannot_write
from training.errors import DiskError, PublishError
from training.export.step_graph import able_to_write, sizes_of
from training.models.language_model import LanguageModel
from training.publishing.candidate import Candidate
from training.publishing.model_card import model_card
from training.runs.checkpoints import Checkpoint
from training.runs.code_version import code_version
from training.runs.curves import CURVES_FILE, draw_curves
from training.runs.metrics import History
from training.yardsticks.measured import Yardsticks

_MODEL, _TOKENIZER, _README = "model.onnx", "tokenizer.json", "README.md"


def choose_version(store: ModelStore, name: str, asked: int | None) -> int:
    """The asked-for version, or the lowest number above all published ones.

    Raises:
        PublishError: the asked-for version exists, or the published ones cannot be read.
    """
    try:
        next_free = max(store.versions(name), default=0) + 1
    except ArtifactError as error:
        raise PublishError(str(error)) from error
    if asked is not None and store.folder(name, asked).exists():
        raise PublishError(
            f"{store.folder(name, asked)} exists, and a version is never overwritten; "
            f"the next free one is {next_free}"
        )
    return next_free if asked is None else asked


def publish(
    store: ModelStore,
    version: int,
    checkpoint: Checkpoint,
    candidate: Candidate,
    history: History,
    samples: Mapping[Sampling, str],
    inventions: Inventions | None = None,
    yardsticks: Yardsticks | None = None,
) -> Artifact:
    """Write and verify one version.

    Args:
        store: Where to.
        version: Must not exist yet.
        checkpoint: What the candidate was built from.
        candidate: The graph, and its figures.
        history: For the loss curves; there are none if nothing is known of the run.
        samples: What the candidate writes, for the README.
        inventions: The same in figures, if it is a model of items.
        yardsticks: For the README, what costs the same text without a network.

    Raises:
        PublishError: the version exists, or the written folder does not pass the service's checks.
        DiskError: the disk is full, say.
    """
    config = checkpoint.identity.config
    try:
        with store.publishing(config.name, version) as folder:
            (folder / _MODEL).write_bytes(candidate.graph.SerializeToString())
            write_gates(folder, candidate.gates)
            (folder / _TOKENIZER).write_text(checkpoint.identity.tokenizer_json, encoding="utf-8")
            has_curves = bool(history.steps and history.evaluations)
            if has_curves:
                draw_curves(history, f"{config.name}, version {version}", folder / CURVES_FILE)
            manifest = _manifest(folder, version, checkpoint, candidate, inventions)
            curves_file = CURVES_FILE if has_curves else None
            card = model_card(manifest, samples, curves_file, yardsticks)
            (folder / _README).write_text(card, encoding="utf-8")
            record = _record(history, samples).model_dump_json(indent=2)
            (folder / TRAINING_FILE).write_text(record + "\n", encoding="utf-8")
            manifest = _with_files(manifest, folder)
            (folder / MANIFEST_FILE).write_text(
                manifest.model_dump_json(indent=2) + "\n", encoding="utf-8"
            )
            check_step_graph(folder / _MODEL, (folder / _MODEL).read_bytes(), manifest)
        artifact = store.verify(config.name, version)
    except ArtifactError as error:
        raise PublishError(str(error)) from error
    except OSError as error:
        size = candidate.graph.ByteSize()
        raise DiskError(cannot_write(error, store.folder(config.name, version), size)) from error
    if artifact.remarks:  # right after publishing, documents are as they were written too
        raise PublishError(f"{artifact.folder}: {'; '.join(artifact.remarks)}")
    return artifact


def write_gates(folder: Path, gates: Mapping[str, str]) -> None:
    """Write what the graph calls each gate; nothing of a model that has none."""
    if gates:
        table = ActivationTable(gates=dict(gates)).model_dump_json(indent=2)
        (folder / ACTIVATIONS_FILE).write_text(table + "\n", encoding="utf-8")


def with_the_same_weights(store: ModelStore, artifact: Artifact) -> list[str]:
    """`name@version` of the other versions that have the very graph of this one."""
    manifest = artifact.manifest
    graph = manifest.files[manifest.model_file].sha256
    found = []
    for version in store.versions(manifest.name):
        try:
            other = store.manifest(manifest.name, version)
        except ArtifactError:  # it is damaged, which is said where it would be served
            continue
        if version != manifest.version and other.files[other.model_file].sha256 == graph:
            found.append(other.ref)
    return found


def _record(history: History, samples: Mapping[Sampling, str]) -> TrainingRecord:
    """What whoever looks at the version is told of its training."""
    return TrainingRecord(
        curves=tuple(
            CurvePoint(
                step=each.step,
                epoch=each.epoch,
                train_loss=each.train_loss,
                validation_loss=each.validation_loss,
            )
            for each in history.evaluations
        ),
        samples=tuple(
            Sample(temperature=sampling.temperature, seed=sampling.seed, text=text)
            for sampling, text in samples.items()
        ),
    )


def entries_of(folder: Path) -> dict[str, FileEntry]:
    """Size and checksum of everything that now lies in the folder."""
    return {
        path.name: FileEntry(sha256=sha256_of(path), num_bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
    }


def _with_files(manifest: Manifest, folder: Path) -> Manifest:
    return Manifest.model_validate(manifest.model_dump() | {"files": entries_of(folder)})


def _manifest(
    folder: Path,
    version: int,
    checkpoint: Checkpoint,
    candidate: Candidate,
    inventions: Inventions | None,
) -> Manifest:
    identity = checkpoint.identity
    tokenizer = identity.tokenizer
    model = able_to_write(checkpoint.model())
    draft = Manifest.model_construct(
        name=identity.config.name,
        version=version,
        description=identity.config.description,
        architecture=identity.config.model.architecture,
        sizes=sizes_of(identity.config.model),
        precision=candidate.precision,
        vocabulary_size=tokenizer.vocabulary_size,
        state=tuple(
            StateTensor(name=name, width=width) for name, width in model.state_widths.items()
        ),
        special_ids=tokenizer.special_ids,
        defaults=SamplingOptions(temperature=identity.config.publish.default_temperature),
        provenance=_provenance(checkpoint, model),
        cleaning=tokenizer.cleaning,
        evaluations=candidate.evaluations,
        inventions=inventions,
        parity=candidate.parity,
        chat_template=identity.config.publish.chat,
        files={},
    )
    return _with_files(draft, folder)


def _provenance(checkpoint: Checkpoint, model: LanguageModel) -> Provenance:
    identity = checkpoint.identity
    config = identity.config.model_dump(mode="json", exclude_none=True)
    # Where files lay on this machine is nobody's business.
    for section in (config["corpus"], config.get("vectors", {})):
        if "path" in section:
            section["path"] = shown(path_of(section["path"]).name)
    return Provenance(
        corpus=Corpus(
            name=identity.corpus.name,
            source=identity.corpus.source,
            licence=identity.corpus.licence,
            sha256=identity.corpus.sha256,
            num_characters=identity.corpus.num_characters,
        ),
        config=config,
        seed=identity.config.training.seed,
        code_version=identity.code_version or code_version(),
        torch_version=identity.torch_version or torch.__version__,
        precision=identity.precision,
        num_parameters=model.num_parameters(),
        num_steps=checkpoint.position.step,
        wall_time_s=round(checkpoint.position.wall_time_s, 1),
        num_processes=len(checkpoint.random_states),
        calibrated_temperature=checkpoint.temperature,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
