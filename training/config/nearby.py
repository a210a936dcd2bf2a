"""What was meant by a name that is not there: the nearest one, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

_SHOWN = 8
_ALIKE = 0.6
"""Of difflib: "epoch" and "epochs" are 0.91 alike, "seed" and "speed" 0.89."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that is spelt most like a word, whatever the case; none if none is like it."""
    by_spelling = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), by_spelling, n=1, cutoff=_ALIKE)
    return by_spelling[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`: did you mean epochs?`, to be put behind a message; empty if nothing is spelt like it."""
    found = nearest(word, choices)
    return "" if found is None else f": did you mean {found}?"


def listed(names: Sequence[str], *, none: str = "nothing") -> str:
    """A few names in one line, and how many more there are."""
    more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more]) or none


def instead_of_file(path: Path, *endings: str) -> str:
    """Of a file that is not there: the one that is spelt like it, or what its folder holds.

    Args:
        path: What was asked for.
        endings: How the files end that would do; any file will, if there is none.
    """
    folder = path.parent
    try:
        if not folder.is_dir():
            return f"there is no folder {folder}"
        names = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.name[:1] != "." and (not endings or entry.name.lower().endswith(endings))
        )
    except OSError as error:
        return f"{folder} cannot be listed: {error.strerror}"
    names = [printable(name) for name in names]
    # By what stands before the ending: that of all of them is the same.
    by_stem = {Path(name).stem: name for name in reversed(names)}
    if (found := nearest(path.stem, by_stem)) is not None:
        return f"did you mean {folder / by_stem[found]}?"
    where = "this folder" if folder == Path() else str(folder)
    kind = f" that ends in {' or '.join(endings)}" if endings else ""
    return f"{where} holds {listed(names, none=f'no file{kind}')}"


def printable(name: str) -> str:
    """A file's name, also one whose bytes are not UTF-8, without what would steer a terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
