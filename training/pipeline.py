"""Training, measuring and publishing, each as one straight line through the room.

`lstm-train run` is `train_model`, then `publish_checkpoint` with the best checkpoint of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from service.artifacts.store import Artifact, ModelStore
from service.runtime.sampling import Sampling
from training.batches.token_files import TokenFiles
from training.config.train import SampleConfig, TrainConfig
from training.corpora.corpus import Corpus, HeldOutPart
from training.corpora.load import at_path, load_corpus
from training.errors import CheckpointError
from training.evaluation.calibration import fit_temperature
from training.evaluation.losses import Loss, cold_loss, stateful_loss
from training.loop.interruption import Interruption
from training.loop.train import Outcome, train
from training.loop.vectors import Vectors, vectors_of
from training.loop.workers import ALONE, Workers
from training.publishing.candidate import HeldOut, build_candidate, step_model, yardsticks_for
from training.publishing.publish import choose_version, publish, with_the_same_weights
from training.runs.checkpoints import Checkpoint, RunIdentity
from training.runs.code_version import code_version
from training.runs.curves import CURVES_FILE, CurvesDrawing
from training.runs.enduring import Enduring
from training.runs.metrics import METRICS_FILE, History, MetricsLog, read_history
from training.runs.progress import ProgressDisplay, evaluation_table
from training.runs.records import Observer, Observers
from training.runs.run_folder import RunFolder, require_same_text
from training.runs.tensorboard import TensorBoardLog
from training.served.inventions import inventions
from training.served.step_model import StepModel
from training.tables import figures_table, yardsticks_table, yardsticks_words
from training.waiting import SILENT, Waiting
from training.yardsticks.measured import Yardsticks

TENSORBOARD_FOLDER = "tensorboard"
_CARD_TEMPERATURES = (0.5, 0.8, 1.0)


@dataclass(frozen=True)
class WhatToTrain:
    """A run: what is trained, on which text, and where it lies.

    Attributes:
        config: None for a run that is resumed: its checkpoint has the config.
        corpus: The text.
        run_folder: Where the run lies.
        resume: Whether to go on with the run that lies there.
    """

    config: TrainConfig | None
    corpus: Corpus
    run_folder: RunFolder
    resume: bool = False


@dataclass(frozen=True)
class Desk:
    """Where a training reports, and who works on it."""

    console: Console
    tensorboard: bool = False
    workers: Workers = ALONE


def train_model(what: WhatToTrain, desk: Desk) -> Outcome:
    """Train until done or interrupted.

    Raises:
        TrainingError: see `errors`.
    """
    folder, corpus = what.run_folder, what.corpus
    waiting = Waiting(desk.console) if desk.workers.is_first else SILENT
    checkpoint: Checkpoint | None = None
    if what.resume:
        checkpoint = folder.resume(what.config, corpus)
        identity = checkpoint.identity
        _warn_of_another_program(identity, desk.console)
    elif what.config is None:
        raise ValueError("a new run needs a config")
    else:
        identity = folder.begin(what.config, corpus, waiting)
    observers = _observers(desk, folder, identity)
    try:
        with Interruption() as interruption:
            tokens = folder.tokens(identity, corpus, waiting)
            desk.workers.first_goes_ahead(lambda: (tokens.train, tokens.validation))
            outcome = train(
                identity,
                tokens,
                folder.path,
                observers,
                interruption,
                checkpoint,
                desk.workers,
                None if what.resume else _vectors(identity, desk.console),
            )
    finally:
        observers.finished()
    if desk.workers.is_first:
        history = _history(folder, desk.console)
        if history.evaluations:
            desk.console.print(evaluation_table(history))
        if outcome.is_complete and folder.best.exists():
            # The best moment may be of before a resume, and the config of after it. A run that
            # goes on with restarts is calibrated again, at its end.
            best = Checkpoint.load(folder.best).with_config(identity.config)
            if identity.config.training.calibrate:
                best = _calibrated(best, tokens, desk.console)
            best.save(folder.best)
    return outcome


def _calibrated(checkpoint: Checkpoint, tokens: TokenFiles, console: Console) -> Checkpoint:
    """A checkpoint with its temperature."""
    found = fit_temperature(checkpoint.model(), tokens.validation)
    console.print(
        f"calibrated: logits over {found.temperature:.3f}, loss of {found.num_tokens:,} validation "
        f"tokens {found.nats_before:.4f} -> {found.nats_after:.4f} "
        "(this makes it as sure as it is right, on the held-out text)",
        highlight=False,
        soft_wrap=True,
    )
    return replace(checkpoint, temperature=found.temperature)


def evaluate_checkpoint(
    checkpoint: Checkpoint, corpus: Corpus, folder: RunFolder, part: HeldOutPart
) -> dict[str, Loss]:
    """Losses in torch on a held-out part, by the name of the measure.

    Raises:
        CheckpointError: the checkpoint was trained on another text.
        CorpusError: the corpus has no such part.
    """
    require_same_text(checkpoint.identity, corpus)
    model = checkpoint.model()
    ids = folder.tokens(checkpoint.identity, corpus).held_out(part)
    return {"stateful": stateful_loss(model, ids), "cold-256": cold_loss(model, ids)}


def publish_checkpoint(
    checkpoint: Checkpoint,
    corpus: Corpus,
    run_folder: RunFolder,
    console: Console,
    store: ModelStore,
    version: int | None,
) -> Artifact:
    """Export, gate and publish a checkpoint as `version`, or as the next free one.

    Raises:
        TrainingError: a gate was not passed, or the store refuses; nothing was published.
    """
    identity = checkpoint.identity
    require_same_text(identity, corpus)
    # Told now, not after minutes of measuring; the store checks it again when it writes.
    chosen = choose_version(store, identity.config.name, version)
    tokens = run_folder.tokens(identity, corpus, Waiting(console))
    tokens.make()  # shown by itself, not behind the status below
    if identity.config.training.calibrate and checkpoint.temperature == 1.0:
        # The last moment instead of the best, or one of a run that was not complete.
        checkpoint = _calibrated(checkpoint, tokens, console)
    with Waiting(console).during("exporting, comparing with torch, measuring"):
        validation = HeldOut.of("validation", corpus, tokens, identity.tokenizer)
        has_test = corpus.test is not None
        test = HeldOut.of("test", corpus, tokens, identity.tokenizer) if has_test else None
        candidate = build_candidate(checkpoint, validation, test)
        model = step_model(checkpoint, candidate.graph)
        samples = _card_samples(model, identity.config.sample)
        asked = identity.config.publish.default_temperature
        temperature = 1.0 if asked is None else asked
        invented = inventions(model, corpus.train, temperature) if corpus.has_items else None
        history = _history(run_folder, console)
        measured = test or validation
        yardsticks = yardsticks_for(measured, corpus, tokens, identity.tokenizer)
        artifact = publish(
            store, chosen, checkpoint, candidate, history, samples, invented, yardsticks
        )
    console.print(figures_table(artifact))
    served = artifact.manifest.evaluations[0]
    _print_yardsticks(console, yardsticks, served.part, served.bits_per_character)
    _say(console, f"published {artifact.ref} in {artifact.folder}")
    for ref in with_the_same_weights(store, artifact):
        _say(console, f"note: {ref} has the very same weights")
    return artifact


def compare_with_yardsticks(
    checkpoint: Checkpoint,
    corpus: Corpus,
    folder: RunFolder,
    part: HeldOutPart,
    loss: Loss,
    console: Console,
) -> None:
    """Print what the same tokens cost without a network, beside a loss that is of all of them."""
    tokens = folder.tokens(checkpoint.identity, corpus, Waiting(console))
    tokens.make()  # shown by itself, not behind the line below
    held_out = HeldOut.of(part, corpus, tokens, checkpoint.identity.tokenizer)
    with Waiting(console).during("measuring what is no network"):
        yardsticks = yardsticks_for(held_out, corpus, tokens, checkpoint.identity.tokenizer)
    _print_yardsticks(console, yardsticks, part, held_out.shares.bits_per_character(loss.nats))


def _print_yardsticks(
    console: Console, yardsticks: Yardsticks, part: HeldOutPart, bits_per_character: float
) -> None:
    console.print(yardsticks_table(yardsticks, part, bits_per_character))
    console.print(yardsticks_words(yardsticks, bits_per_character), soft_wrap=True)


def _history(folder: RunFolder, console: Console) -> History:
    """What was measured; a log that cannot be read does not take the training with it."""
    try:
        return read_history(folder.path / METRICS_FILE)
    except (CheckpointError, OSError) as error:
        _say(console, f"note: no curves and no table of the run: {error}")
        return History([], [])


def _say(console: Console, line: str) -> None:
    """One line as it is: no markup in it, and no break."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _warn_of_another_program(identity: RunIdentity, console: Console) -> None:
    """Going on gives the losses of one run only if it is the same program that goes on."""
    began, goes_on = identity.code_version, code_version()
    if began != goes_on:
        console.print(
            f"note: begun by version {began or 'unknown'}, goes on with {goes_on}: "
            "its losses may be other ones than those of a run by either",
            highlight=False,
            soft_wrap=True,
        )


def _vectors(identity: RunIdentity, console: Console) -> Vectors | None:
    """What the embedding begins with, if the config says so."""
    if identity.config.vectors is not None:
        _say(console, f"reading word vectors {identity.config.vectors.path}")
    vectors = vectors_of(identity)
    for line in vectors.lines() if vectors is not None else ():
        _say(console, line)
    return vectors


def _card_samples(model: StepModel, sample: SampleConfig) -> dict[Sampling, str]:
    """What the published graph writes, at several temperatures."""
    temperatures = sorted({*_CARD_TEMPERATURES, sample.temperature})
    samplings = [Sampling(seed=1, temperature=temperature) for temperature in temperatures]
    texts = model.write(sample.prompt, sample.num_tokens, samplings)
    return dict(zip(samplings, texts, strict=True))


def corpus_of(
    identity: RunIdentity,
    data_folder: Path | None,
    text: Path | None,
    waiting: Waiting = SILENT,
) -> Corpus:
    """The text that a run was trained on; `text` says where it lies now, if it was moved.

    Raises:
        CorpusError: it cannot be read.
    """
    config = identity.config
    source = config.corpus if text is None else at_path(config.corpus, text)
    return load_corpus(source, data_folder, config.cleaning, waiting)


def _observers(desk: Desk, run_folder: RunFolder, identity: RunIdentity) -> Observers:
    folder = run_folder.path
    if not desk.workers.is_first:
        return Observers([])
    log, curves = folder / METRICS_FILE, folder / CURVES_FILE
    observers: dict[str, Observer] = {
        f"writing {log}": MetricsLog(log),
        f"drawing {curves}": CurvesDrawing(folder, identity.config.name),
        "showing how it goes": ProgressDisplay(desk.console),
    }
    if desk.tensorboard:
        events = folder / TENSORBOARD_FOLDER
        observers[f"writing {events}"] = TensorBoardLog(events)

    def tell(line: str) -> None:
        _say(desk.console, line)

    return Observers([Enduring(observer, what, tell) for what, observer in observers.items()])
