"""The files of a folder: which are read, which are left out, and why."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.corpora.opened import shown
from training.corpora.signatures import PACKED_ENDINGS
from training.errors import CorpusError

_PROSE = """
    .txt .text .md .markdown .rst .adoc .asciidoc .org .tex .textile .fountain .srt .vtt .abc .log
"""
_CODE = """
    .py .pyi .pyx .js .mjs .cjs .jsx .ts .tsx .c .h .cc .cpp .cxx .hh .hpp .hxx .cu .java .kt .kts
    .scala .groovy .go .rs .rb .php .pl .pm .r .jl .lua .sh .bash .zsh .fish .ps1 .awk .sql .swift
    .m .mm .cs .fs .vb .dart .zig .nim .d .hs .ml .mli .ex .exs .erl .clj .cljs .lisp .el .scm .rkt
    .f .f90 .f95 .pas .adb .ads .asm .s .v .sv .vhd .vhdl .tcl .vim .proto .cmake .css .scss .html
"""
_ENDINGS: Mapping[str, Sequence[str]] = {
    "text": f"{_PROSE} {_CODE}".split(),
    "jsonl": [".jsonl", ".ndjson"],
    "csv": [".csv", ".tsv"],
    "wet": [".warc.wet"],
}
_ALONE: Mapping[str, Sequence[str]] = {"jsonl": [".json"]}
"""Read where they are named; in a folder they are mostly what describes the others."""
_OF_PROGRAMS = ("__pycache__", "node_modules", "__MACOSX")
_FEW = 3

_REASONS = HIDDEN, MADE, LINK, ENDING, ODD, UNREADABLE = (
    "hidden",
    "made by programs",
    "links to folders",
    "with other endings",
    "no plain files",
    "that cannot be read",
)
"""Why something is left out, in the order in which it is said."""


@dataclass(frozen=True)
class Found:
    """What a path leads to.

    Attributes:
        place: The path.
        files: What is read, in order of their names.
        left_out: Names of the rest by the reason, each below `place`.
    """

    place: Path
    files: tuple[Path, ...]
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether there was something to choose."""
        return self.files != (self.place,)

    def name_of(self, file: Path) -> str:
        """A file's name below the folder, for people."""
        return shown(file.relative_to(self.place) if self.is_folder else file.name)

    def remarks(self, checksums: Sequence[str]) -> list[str]:
        """What was read and what not, in a line each; nothing of a single file.

        Args:
            checksums: Of the files.
        """
        if not self.is_folder:
            return []
        endings = _counted(_ending(file.name) for file in self.files)
        remarks = [f"read {_files(len(self.files))} of {shown(self.place)}: {endings}"]
        if self.left_out:
            remarks.append(f"left out: {self.rest()}")
        equal = _equal(self.files, checksums)
        if equal:
            pairs = [f"{self.name_of(one)} = {self.name_of(other)}" for one, other in equal]
            remarks.append(
                f"equal files: {_files(len(equal))} found twice, and read all the same "
                f"({_few(pairs)})"
            )
        return remarks

    def rest(self) -> str:
        """What is left out, by the reason."""
        parts = []
        for reason, names in self.left_out.items():
            some = _counted(map(_ending, names)) if reason == ENDING else _few(names)
            choice = "; --glob or corpus.glob chooses others" if reason == ENDING else ""
            parts.append(f"{len(names):,} {reason} ({some}{choice})")
        return ", ".join(parts)


def find_files(path: Path, corpus_format: str, globs: Sequence[str] = ()) -> Found:
    """The file, or those of a folder and the folders in it that count.

    Hidden parts of a folder and what programs make do not; links to folders are not followed.

    Args:
        path: A file or a folder.
        corpus_format: Whose endings count, in capitals or not.
        globs: Instead of those, which names count: see `matches`.

    Raises:
        CorpusError: none counts, or `globs` are given for a file.
    """
    if not path.is_dir():
        if globs:
            raise CorpusError(
                f"corpus.glob (--glob) chooses files of a folder, but {shown(path)} is a file"
                if path.exists()
                else f"cannot read text {shown(path)}: No such file or directory"
            )
        return Found(path, (path,))
    walk = _Walk(path, corpus_format, globs)
    walk.into(path)
    left_out = {why: sorted(walk.left_out[why]) for why in _REASONS if why in walk.left_out}
    found = Found(path, tuple(sorted(walk.files)), left_out)
    if not found.files:
        wanted = f"that {' or '.join(globs)} means" if globs else f"of format {corpus_format!r}"
        why = f"; left out: {found.rest()}" if found.left_out else ": it is empty"
        raise CorpusError(f"{shown(path)} holds no file {wanted}{why}")
    return found


def is_of_format(file: Path, corpus_format: str) -> bool:
    """Whether a file is called as those of a format are."""
    endings = [*_ENDINGS.get(corpus_format, ()), *_ALONE.get(corpus_format, ())]
    return _ends_in(file.name, endings)


def matches(name: str, pattern: str) -> bool:
    """Whether a name below a folder (`a/b.py`) is meant by a pattern, in capitals or not.

    `*` is anything within a name, `**` any number of folders; a pattern without a slash is of the
    file's own name, wherever it lies.
    """
    parts = pattern.lower().split("/")
    return _match(name.lower().split("/"), parts if len(parts) > 1 else ["**", *parts])


def _match(names: Sequence[str], patterns: Sequence[str]) -> bool:
    if not names or not patterns:
        return not names and not patterns
    first, *others = patterns
    if first == "**":
        return not others or any(_match(names[n:], others) for n in range(len(names)))
    return fnmatch.fnmatchcase(names[0], first) and _match(names[1:], others)


class _Walk:
    """Looks at everything below a folder, once."""

    def __init__(self, top: Path, corpus_format: str, globs: Sequence[str]) -> None:
        self._top = top
        self._endings = _ENDINGS[corpus_format]
        self._globs = globs
        self.files: list[Path] = []
        self.left_out: dict[str, list[str]] = defaultdict(list)

    def into(self, folder: Path) -> None:
        """All of a folder; a stack of its own, for folders may be deep."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    waiting += [Path(e.path) for e in entries if self._is_to_be_entered(e)]
            except OSError as error:
                self._leave(UNREADABLE, folder, error.strerror)

    def _is_to_be_entered(self, entry: os.DirEntry[str]) -> bool:
        path = Path(entry.path)
        if entry.name.startswith("."):
            self._leave(HIDDEN, path)
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in _OF_PROGRAMS and not (path / "pyvenv.cfg").is_file():
                return True
            self._leave(MADE, path)
        else:
            self._take(path)
        return False

    def _take(self, path: Path) -> None:
        """A file, or what looks like one: a link that leads nowhere or round, a pipe, a device."""
        try:
            kind = path.stat().st_mode
        except OSError as error:
            self._leave(UNREADABLE, path, error.strerror)
            return
        if stat.S_ISDIR(kind):
            self._leave(LINK, path)
        elif not stat.S_ISREG(kind):
            self._leave(ODD, path)
        elif not self._counts(path):
            self._leave(ENDING, path)
        else:
            try:
                path.open("rb").close()
            except OSError as error:
                self._leave(UNREADABLE, path, error.strerror)
            else:
                self.files.append(path)

    def _counts(self, path: Path) -> bool:
        if self._globs:
            name = path.relative_to(self._top).as_posix()
            return any(matches(name, pattern) for pattern in self._globs)
        return _ends_in(path.name, self._endings)

    def _leave(self, reason: str, path: Path, why: str | None = None) -> None:
        name = shown(path.relative_to(self._top))
        self.left_out[reason].append(f"{name}: {why}" if why else name)


def _ends_in(name: str, endings: Iterable[str]) -> bool:
    plain = name.lower()
    for packed in PACKED_ENDINGS:
        plain = plain.removesuffix(packed)
    return plain.endswith(tuple(endings))


def _equal(files: Sequence[Path], checksums: Sequence[str]) -> list[tuple[Path, Path]]:
    """Files whose content another one has had before, with that one; empty ones do not count."""
    first: dict[str, Path] = {}
    pairs = [
        (file, first.setdefault(checksum, file))
        for file, checksum in zip(files, checksums, strict=True)
        if file.stat().st_size
    ]
    return [(file, other) for file, other in pairs if file != other]


def _ending(name: str) -> str:
    return shown(Path(name.lower()).suffix) or "none"


def _counted(endings: Iterable[str]) -> str:
    counts = Counter(endings).most_common()
    few = [f"{ending} {count:,}" for ending, count in counts[: 2 * _FEW]]
    return ", ".join(few) + (", ..." if len(counts) > len(few) else "")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (", ..." if len(names) > _FEW else "")


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"
