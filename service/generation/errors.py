"""Why a generation cannot be started.

GenerationError
├── InvalidOption      an option is outside of this server's or this model's range
└── ModelUnknown       no model of that name is served
"""

from __future__ import annotations


class GenerationError(Exception):
    """A generation cannot be started.

    Attributes:
        param: The option at fault.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class InvalidOption(GenerationError):
    """An option is outside of this server's or this model's range."""


class ModelUnknown(GenerationError):
    """No model of that name is served."""
