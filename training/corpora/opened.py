"""Files opened as what they are: unpacked if need be, and refused if they are no text."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from training.config import paths
from training.corpora.signatures import HEAD_BYTES, Foreign, foreign_kind, packing_of
from training.errors import CorpusError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIPED = "piped-text"
"""What the copy of a pipe's text is called, which nobody gave a name."""

_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "xz": lzma.open,
    "zstd": zstd.open,
}
_ENDINGS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}


@dataclass(frozen=True)
class Opened:
    """A file that may be a text.

    Attributes:
        path: Where it lies.
        packing: What it is packed with.
        file: Its bytes, unpacked, from the first one.
        head: The first of them.
    """

    path: Path
    packing: str | None
    file: BinaryIO
    head: bytes

    def command(self, program: str, mark: str) -> str:
        """A line for the shell that sends the file through a program, into another file.

        Args:
            program: Reads a text and writes one.
            mark: Stands in the name of the new file.
        """
        if self.path.name == PIPED:
            return f"... | {program} | lstm-train ..."
        file = quoted(self.path)
        bare = self._bare
        new = quoted(free_name(bare.with_name(f"{bare.stem}.{mark}{bare.suffix}")))
        if self.packing is not None:
            return f"{self.packing} -dc < {file} | {program} > {new}"
        return f"{program} < {file} > {new}"

    @property
    def _bare(self) -> Path:
        """The name without the packing's ending."""
        return _without(self.path, self.packing)


def shown(path: Path | str) -> str:
    """A text as it is called in messages; bytes that are not UTF-8 are escaped."""
    return "the piped text" if Path(path).name == PIPED else paths.shown(path)


def quoted(path: Path) -> str:
    """A name for the shell; one that begins with a hyphen is no option."""
    name = str(path)
    return paths.for_shell(f"./{name}" if name.startswith("-") else name)


@contextmanager
def opened(
    path: Path,
    noun: str = "text",
    foreign: Callable[[bytes, Path | None], Foreign | None] = foreign_kind,
) -> Iterator[Opened]:
    """Open a file, unpack it, look at its beginning; what is wrong inside is said with its name.

    Args:
        path: Of the file.
        noun: What it is in messages.
        foreign: Says by the first bytes what is refused; with None for a path: those unpacked.

    Raises:
        CorpusError: it cannot be read, is damaged, or is no text; the message says what to do.
    """
    packing: str | None = None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            _refuse_foreign(foreign(head, path), path, None)
            packing = packing_of(head)
            file.seek(0)
            if packing is None:
                yield Opened(path, None, file, head)
                return
            with cast("BinaryIO", _OPENERS[packing](file)) as content:
                head = content.read(HEAD_BYTES)
                _refuse_foreign(foreign(head, None), path, packing)
                if (again := packing_of(head)) is not None:
                    _refuse_foreign(_twice(again), path, packing)
                content.seek(0)
                yield Opened(path, packing, content, head)
    except (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError) as error:
        raise CorpusError(
            f"cannot read {noun} {shown(path)}: damaged or cut off ({error})"
        ) from error
    except OSError as error:
        if packing is not None and error.errno is None:  # gzip's and bz2's own
            reason = f"damaged or cut off ({error})"
            raise CorpusError(f"cannot read {noun} {shown(path)}: {reason}") from error
        raise CorpusError(f"cannot read {noun} {shown(path)}: {error.strerror or error}") from error


def _refuse_foreign(kind: Foreign | None, path: Path, packing: str | None) -> None:
    if kind is None:
        return
    what = (
        kind.what if packing is None else f"is packed with {packing}, and what it holds {kind.what}"
    )
    message = f"{shown(path)} {what}: {kind.advice}"
    if kind.command is None or path.name == PIPED:
        raise CorpusError(message)
    file, unpack = path, ""
    if packing is not None:
        file = free_name(_without(path, packing))
        unpack = f"{packing} -dc < {quoted(path)} > {quoted(file)} && "
    command = unpack + kind.command.format(
        file=quoted(file),
        text=quoted(free_name(file.with_suffix(".txt"))),
        folder=quoted(free_name(file.with_suffix("") if file.suffix else Path(f"{file}-unpacked"))),
    )
    raise CorpusError(f"{message}, for example by\n  {command}\nand give what comes out of it")


def _twice(packing: str) -> Foreign:
    return Foreign(
        f"is packed with {packing} again", "unpack it", f"{packing} -dc < {{file}} > {{text}}"
    )


def _without(path: Path, packing: str | None) -> Path:
    """The name without the packing's ending."""
    if packing is not None and path.suffix.lower() == _ENDINGS[packing]:
        return path.with_suffix("")
    return path


def free_name(path: Path) -> Path:
    """This name, or one like it that nothing has: no advice may overwrite a file."""
    number = 2
    chosen = path
    while chosen.exists():
        chosen = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return chosen
