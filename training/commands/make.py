"""run, train, export, publish: from a text to a published model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter
from rich.text import Text

from service.artifacts.store import ModelStore
from training.commands.arguments import (
    DataFolder,
    Flat,
    Moment,
    Options,
    OutputFile,
    Process,
    RunCheckpoint,
    Source,
    TextOrConfig,
)
from training.commands.piped import at_hand
from training.commands.planned import (
    Destination,
    Training,
    folder_of_its_own,
    what_to_train,
    what_was_told,
)
from training.commands.status import DONE
from training.commands.trained import publish_trained, say_what_next, train_as_told
from training.config.model import ModelConfig
from training.disk import whole_file
from training.export.step_graph import able_to_write
from training.models.build import build_model
from training.pipeline import (
    corpus_of,
    publish_checkpoint,
)
from training.publishing.candidate import build_graph
from training.publishing.publish import choose_version
from training.publishing.trial import require_room_to_train, try_store
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder


def run(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    training: Annotated[Training, Flat] = Training(),
    destination: Annotated[Destination, Flat] = Destination(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Make a model of a text: train it, measure it, publish it into the model store."""
    store, version = ModelStore(destination.store), destination.version
    with folder_of_its_own(text_or_config, source, training, process):
        what = what_to_train(text_or_config, source, training, process)
        planned = what.config or what.run_folder.identity().config
        # What cannot be published is told now, not after the training.
        with process.waiting.during("trying the store"):
            choose_version(store, planned.name, version)
            num_parameters = _require_able_to_write(planned.model)
            if process.workers.is_first:
                try_store(store, planned.name, num_parameters)
                require_room_to_train(what.run_folder.path, num_parameters)
        told = what_was_told(what, source, training, process, destination)
        status = train_as_told("run", what, told, process)
        if status == DONE and process.workers.is_first:
            return publish_trained(what, told, store, process)
        return status


def train(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    training: Annotated[Training, Flat] = Training(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Train only; `publish` puts the result into the model store later."""
    with folder_of_its_own(text_or_config, source, training, process):
        what = what_to_train(text_or_config, source, training, process)
        told = what_was_told(what, source, training, process)
        return train_as_told("train", what, told, process)


class GraphFile(Options):
    """Where a step graph is written, and how."""

    output: Annotated[OutputFile, Parameter(help="the file to write, like mine.onnx")]
    precision: Annotated[
        Literal["float32", "int8"],
        Parameter(help="how the model's numbers are stored: int8 takes a quarter of the place"),
    ] = "float32"


def export(
    *,
    of: Annotated[RunCheckpoint, Flat],
    graph_file: Annotated[GraphFile, Flat],
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Write a trained model as an ONNX file, for programs of your own."""
    output = graph_file.output
    graph = build_graph(checkpoint_of(of.run_dir, of.checkpoint), graph_file.precision)
    content = graph.SerializeToString()
    with whole_file(output, len(content)) as file:
        file.write(content)
    size = output.stat().st_size
    process.console.print(Text(f"{output}: {size:,} bytes"), soft_wrap=True)
    return DONE


def publish(
    *,
    of: Annotated[RunCheckpoint, Flat],
    text: Annotated[
        Path | None, Parameter(help="where the text lies now, if it was moved", metavar="PATH")
    ] = None,
    data: DataFolder = None,
    destination: Annotated[Destination, Flat] = Destination(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Put a trained model into the model store, if it passes the tests."""
    checkpoint = checkpoint_of(of.run_dir, of.checkpoint)
    folder, store = RunFolder(of.run_dir), ModelStore(destination.store)
    with at_hand(text, process) as text:
        text = text or folder.text_of(checkpoint.identity)
        corpus = corpus_of(checkpoint.identity, data, text, process.waiting)
        artifact = publish_checkpoint(
            checkpoint, corpus, folder, process.console, store, destination.version
        )
    say_what_next(artifact, store, checkpoint.identity.config.sample.prompt, process)
    return DONE


def checkpoint_of(run_dir: Path, which: Moment) -> Checkpoint:
    """A checkpoint of a run.

    Raises:
        CheckpointError: it is not there.
    """
    folder = RunFolder(run_dir)
    return Checkpoint.load(folder.best if which == "best" else folder.last)


def _require_able_to_write(config: ModelConfig) -> int:
    """Ask a model that has shapes but no weights, of the smallest vocabulary that will do.

    Returns how many parameters it has, at least.
    """
    vocabulary_size = max(config.adaptive_cutoffs, default=1) + 1
    with torch.device("meta"):
        return able_to_write(build_model(config, vocabulary_size)).num_parameters()
