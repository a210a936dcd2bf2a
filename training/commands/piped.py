"""Texts that are given on the command line, where each can be read several times."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from training.commands.arguments import Process
from training.config.places import address_in
from training.corpora.opened import PIPED
from training.corpora.streams import called, copy_stream, is_stream
from training.errors import CheckpointError, ConfigError, CorpusError
from training.runs.run_folder import RunFolder


@contextmanager
def at_hand(text: Path | None, process: Process) -> Iterator[Path | None]:
    """The text itself, or a copy of what a pipe brings, for as long as it is needed.

    Raises:
        CorpusError: it is an address, or the pipe cannot be read.
        ConfigError: several processes would read one pipe.
    """
    if text is None or not _is_stream(text, process):
        yield text
        return
    with tempfile.TemporaryDirectory(prefix="lstm-train-") as folder:
        copy = Path(folder) / PIPED
        copy_stream(text, copy, say)
        yield copy


def kept(text: Path, folder: RunFolder, process: Process, *, resume: bool) -> Path:
    """The text itself, or the copy of what a pipe brings, in the run's folder.

    Raises:
        CheckpointError: the folder holds a run, and it is not to go on or read another text.
        CorpusError, ConfigError: see `at_hand`.
    """
    if not _is_stream(text, process):
        return text
    if not resume:
        folder.require_free()
    wanted = folder.identity().corpus.sha256 if resume else None
    copy = folder.copied_text
    fresh = copy.with_name(f"{PIPED}.part")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot make {folder.path}: {error.strerror}") from error
    fresh.unlink(missing_ok=True)
    with unless_it_fails(folder):
        sha256 = copy_stream(text, fresh, say)
    if wanted not in (None, sha256):
        fresh.unlink()
        raise CheckpointError(
            f"{called(text)} brings another text than the run in {folder.path} was trained on; "
            "without --text it goes on with its own"
        )
    fresh.replace(copy)
    return copy


@contextmanager
def unless_it_fails(folder: RunFolder) -> Iterator[None]:
    """Leave nothing of a run that has not begun: no copy of its text, and no empty folder."""
    try:
        yield
    except BaseException:
        if not folder.last.exists():
            folder.copied_text.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else, or was never made
                folder.path.rmdir()
        raise


def _is_stream(text: Path, process: Process) -> bool:
    if not text.exists() and (complaint := address_in(str(text))) is not None:
        raise CorpusError(complaint)
    if not is_stream(text):
        return False
    if process.workers.size > 1:
        raise ConfigError(
            f"{called(text)} can be read by one process only: put the text into a file"
        )
    return True


def tell(notes: Iterable[str], console: Console) -> None:
    """What people should know of how a text was read."""
    for note in notes:
        console.print(Text(note), soft_wrap=True)


def say(words: str) -> None:
    """Beside what a command writes, which may be for a file."""
    Console(stderr=True).print(Text(words), soft_wrap=True)
