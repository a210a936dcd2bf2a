"""A training from a command, and what is said at its end: how to go on, where it is kept."""

from __future__ import annotations

from service.artifacts.store import Artifact, ModelStore
from training.commands.arguments import Process
from training.commands.failures import explained
from training.commands.next_commands import Told
from training.commands.next_steps import next_steps
from training.commands.piped import tell
from training.commands.status import DONE, INTERRUPTED
from training.corpora.corpus import Corpus
from training.corpora.overlap import overlap
from training.errors import DiskError, PublishError
from training.pipeline import Desk, WhatToTrain, publish_checkpoint, train_model
from training.runs.checkpoints import Checkpoint


def publish_trained(what: WhatToTrain, told: Told, store: ModelStore, process: Process) -> int:
    """Publish the best checkpoint; if that fails, the training is kept, and it says what to do.

    Raises:
        PublishError: nothing was published.
    """
    folder = what.run_folder
    kept = f"the training is kept in {folder.path}; publish it with\n  {told.publish()}"
    try:
        best = Checkpoint.load(folder.best)
        artifact = publish_checkpoint(
            best, what.corpus, folder, process.console, store, told.version
        )
    except KeyboardInterrupt:
        process.say(f"stopped before it was published; {kept}")
        return INTERRUPTED
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        raise PublishError(f"{message}\n{kept}") from error
    say_what_next(artifact, store, best.identity.config.sample.prompt, process)
    return DONE


def say_what_next(artifact: Artifact, store: ModelStore, prompt: str, process: Process) -> None:
    """What to do with a model that was just published, as commands to paste."""
    process.say(next_steps(artifact, store, prompt))


def tell_of_text(corpus: Corpus, process: Process) -> None:
    """What was read, replaced, left out and held out, and what of that stands in both parts."""
    tell(corpus.notes, process.console)
    if process.workers.is_first:
        tell([*corpus.remarks, overlap(corpus, process.waiting).remark()], process.console)


def train_as_told(verb: str, what: WhatToTrain, told: Told, process: Process) -> int:
    """Train, and say how to go on if it does not come to its end; returns the exit status.

    Raises:
        TrainingError: see `errors`.
    """
    if what.resume:
        tell(what.corpus.notes, process.console)
    else:
        tell_of_text(what.corpus, process)
    desk = Desk(process.console, told.tensorboard, process.workers)
    try:
        outcome = train_model(what, desk)
    except DiskError as error:
        if not what.run_folder.last.exists():
            raise
        raise DiskError(
            f"{error}\nthe checkpoint before it is whole; then go on with\n  {told.resume(verb)}"
        ) from error
    if not outcome.is_complete:
        process.say(
            f"stopped after step {outcome.position.step:,}; go on with\n  {told.resume(verb)}"
        )
        return INTERRUPTED
    if outcome.was_complete and verb == "train":
        process.say(
            f"the run was complete already, after step {outcome.position.step:,}; publish it with\n"
            f"  {told.publish()}\n"
            "or go on with a CONFIG that has training.restarts added"
        )
    if outcome.stopped_early:
        best = outcome.position.best_step
        process.console.print(f"stopped early: nothing better since step {best:,}")
    return DONE
