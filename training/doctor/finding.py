"""What a look at the machine can find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Something is missing that not everybody needs."""
    BROKEN = "BROKEN"
    """Without it there is no training or no publishing."""


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        what: Was looked at.
        state: How it is.
        words: Figures; or what to do.
    """

    what: str
    state: State
    words: str


Check = Callable[[], Iterator[Finding]]


def tried(what: str, check: Check) -> list[Finding]:
    """What a check finds; one that fails is a finding too, and hides nothing of the others."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:  # noqa: BLE001  whatever a broken library raises is what is asked for
        words = f"{type(error).__name__}: {str(error).strip() or 'no words'}"
        found.append(Finding(what, State.BROKEN, f"{words}; {_REINSTALL}"))
    return found


_REINSTALL = (
    "try `make .venv/complete` in the source tree, else `pip install 'lstm-serve[training]'`"
)
