"""A run folder: checkpoints, metrics and curves of one run.

<run folder>/last.pt  best.pt  metrics.jsonl  curves.png  tensorboard/
             tokens/  piped-text
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from training.batches.token_files import TokenFiles
from training.config.optimisation import OptimisationConfig
from training.config.text import CorpusConfig
from training.config.train import TRAINING_SECTIONS, TrainConfig
from training.corpora.cleaning import recorded
from training.corpora.corpus import Corpus
from training.corpora.load import at_path
from training.corpora.opened import PIPED
from training.errors import CheckpointError
from training.evaluation.losses import COLD_WINDOW
from training.models.build import build_model
from training.models.precision import resolve_precision
from training.runs.checkpoints import BEST, LAST, Checkpoint, CorpusIdentity, RunIdentity
from training.runs.code_version import code_version
from training.tokenization.build import build_tokenizer
from training.waiting import SILENT, Waiting

TOKENS_FOLDER = "tokens"
"""In a run's folder: its text as ids."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its files."""

    path: Path

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / LAST

    @property
    def best(self) -> Path:
        """The checkpoint to publish."""
        return self.path / BEST

    @property
    def copied_text(self) -> Path:
        """What came out of a pipe, if the text did."""
        return self.path / PIPED

    def tokens(
        self, identity: RunIdentity, corpus: Corpus, waiting: Waiting = SILENT
    ) -> TokenFiles:
        """The corpus as ids, by the run's tokenizer."""
        return TokenFiles(
            self.path / TOKENS_FOLDER,
            corpus,
            identity.tokenizer,
            min_held_out=COLD_WINDOW + 1,
            waiting=waiting,
        )

    def identity(self) -> RunIdentity:
        """What the run that lies here keeps to.

        Raises:
            CheckpointError: there is none.
        """
        return Checkpoint.load(self.last).identity

    def begin(self, config: TrainConfig, corpus: Corpus, waiting: Waiting = SILENT) -> RunIdentity:
        """Claim the folder for a new run.

        Raises:
            CheckpointError: it holds a run already.
            PrecisionError: the number format does not work on this CPU.
        """
        self.require_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot make {self.path}: {error.strerror}") from error
        return new_identity(config, corpus, waiting)

    def require_free(self) -> None:
        """Refuse to begin a run over another one.

        Raises:
            CheckpointError: the folder holds a run already.
        """
        if self.last.exists():
            raise CheckpointError(
                f"{self.path} holds a run already: go on with it by --resume, "
                "or choose another folder by --run-dir"
            )

    def text_of(self, identity: RunIdentity) -> Path | None:
        """The copy of a text that came out of a pipe, wherever the folder is now."""
        path = identity.config.corpus.path
        came_by_pipe = path is not None and Path(path).name == PIPED
        return self.copied_text if came_by_pipe and self.copied_text.exists() else None

    def resume(self, config: TrainConfig | None, corpus: Corpus) -> Checkpoint:
        """The last checkpoint, if it belongs to this text and (if one is given) this config.

        What does not take part in training (description, sample, publish) comes from the given
        config; all the rest must be as it was, or the losses would not be those of one run. But
        the text may have been moved, and restarts and the calibration may be added.

        Raises:
            CheckpointError: there is none, it is damaged, or something differs.
            PrecisionError: the run began in a number format that this CPU does not have.
        """
        checkpoint = Checkpoint.load(self.last)
        identity = checkpoint.identity
        require_same_text(identity, corpus)
        resolve_precision(identity.precision)
        if config is None:
            return checkpoint
        for section in ("name", "corpus", *TRAINING_SECTIONS):
            before = _wherever(getattr(identity.config, section))
            now = _wherever(getattr(config, section))
            if before != now and not _only_goes_on(before, now):
                raise CheckpointError(
                    f"{self.last} was trained with another config: {section} was "
                    f"{_difference(before, now)}. Go on without a CONFIG (the run has its own), or "
                    "train anew in another --run-dir; longer training is training.restarts"
                )
        return checkpoint.with_config(config)


def new_identity(config: TrainConfig, corpus: Corpus, waiting: Waiting = SILENT) -> RunIdentity:
    """What a new run will keep to until its end.

    Raises:
        ConfigError: the model does not go with the vocabulary.
        PrecisionError: the number format does not work on this CPU.
    """
    tokenizer = build_tokenizer(
        config.tokenizer,
        corpus.train,
        has_items=corpus.has_items,
        cleaning=recorded(config.cleaning),
        num_characters=corpus.train.num_characters,
        waiting=waiting,
    )
    # A model that does not go with the vocabulary is told of before the ids are written.
    with torch.device("meta"):
        build_model(config.model, tokenizer.vocabulary_size)
    return RunIdentity(
        config=config,
        corpus=CorpusIdentity(
            name=corpus.name,
            source=corpus.source,
            licence=corpus.licence,
            sha256=corpus.sha256,
            num_characters=corpus.num_characters,
        ),
        precision=resolve_precision(config.training.precision),
        tokenizer_json=tokenizer.to_json(),
        special_ids=tokenizer.special_ids,
        code_version=code_version(),
        torch_version=str(torch.__version__),
    )


def require_same_text(identity: RunIdentity, corpus: Corpus) -> None:
    """Refuse to go on with, or to measure on, another text than the run began with.

    Raises:
        CheckpointError: the checksums differ.
    """
    if corpus.sha256 != identity.corpus.sha256:
        raise CheckpointError(
            f"the run was trained on {identity.corpus.name} (sha256 {identity.corpus.sha256}), "
            f"but {corpus.name} now has sha256 {corpus.sha256}. Bring back the text that it was "
            "trained on (--text says where it lies), or train on this one in another --run-dir"
        )


def _only_goes_on(before: object, now: object) -> bool:
    """Whether a training section only adds to the end: all steps so far stay the same."""
    if not isinstance(before, OptimisationConfig) or not isinstance(now, OptimisationConfig):
        return False
    kept = now.restarts[: len(before.restarts)]
    # The calibration comes after the last step. Dropped, it would stay in the best checkpoint.
    calibrate = now.calibrate and before.calibrate
    return now.model_copy(update={"restarts": kept, "calibrate": calibrate}) == before


def _wherever(section: object) -> object:
    """A corpus section without its place: the text is known by its checksum."""
    return at_path(section, Path()) if isinstance(section, CorpusConfig) else section


def _difference(before: object, now: object) -> str:
    """The fields that differ, or the values themselves."""
    if not hasattr(before, "model_dump") or not hasattr(now, "model_dump"):
        return f"{before!r}, now {now!r}"
    old, new = before.model_dump(), now.model_dump()
    return ", ".join(f"{key} = {old[key]}, now {new[key]}" for key in old if old[key] != new[key])
