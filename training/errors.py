"""What can go wrong in the training room.

    TrainingError
    ├── ConfigError          a config file, field or command line value is wrong
    ├── CorpusError          a text cannot be found, read, verified or is too short
    ├── CheckpointError      a checkpoint is missing, damaged or belongs to another run
    ├── PrecisionError       the asked-for number format does not work on this CPU
    ├── DivergedError        the loss became NaN or infinite
    ├── ExportError          the exported graph is not a step graph
    ├── ParityError          torch and the serving runtime disagree
    ├── QualityGateError     int8 loses more than the gate allows
    ├── PublishError         the store refuses the version
    └── DiskError            a file cannot be written: the disk is full, say

`lstm-train` prints the message of any of them and exits with status 1.
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of all errors with a message meant for the person who trains."""


class ConfigError(TrainingError):
    """A config file, field or command line value is wrong; the message names it."""


class CorpusError(TrainingError):
    """A text cannot be found, read or verified, or is too short; the message names it."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged, or belongs to another config or corpus."""


class PrecisionError(TrainingError):
    """The asked-for number format does not work on this CPU."""


class DivergedError(TrainingError):
    """The training loss became NaN or infinite."""


class ExportError(TrainingError):
    """The exported graph is not the step graph that the service can run."""


class ParityError(TrainingError):
    """torch and the runtime that serves disagree by more than the tolerance."""


class QualityGateError(TrainingError):
    """The int8 model is worse than the gate allows."""


class PublishError(TrainingError):
    """The store refuses the version, for example because it exists already."""


class DiskError(TrainingError):
    """A file cannot be written; the message names it, what it needs and what helps."""
