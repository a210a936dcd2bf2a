"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        check: What was looked at.
        status: `ok`; `note`, a server runs, though not as well; `fix`, it would not serve all.
        message: What was found.
        advice: What to do; empty where it is ok.
    """

    check: str
    status: Literal["ok", "note", "fix"]
    message: str
    advice: str = ""
