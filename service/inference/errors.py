"""Why a text cannot be started.

InvalidOption      an option is outside of this server's or this model's range
SequenceStarted    a sequence of that name has begun, and not ended
SequenceUnknown    there is no sequence of that name
"""

from __future__ import annotations


class InvalidOption(Exception):
    """An option is outside of this server's or this model's range.

    Attributes:
        param: The option at fault.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class SequenceStarted(Exception):
    """A sequence of that name has begun, and not ended."""


class SequenceUnknown(Exception):
    """There is no sequence of that name."""
