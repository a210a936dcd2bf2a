"""Why the engine did not take, or did not finish, a request.

EngineError
├── Overloaded       the inbox is full; come back later
├── Draining         the server is going down
├── TimedOut         the request's time was over before its text was
├── NotFinite        the model gave infinities or NaN for this text
└── EngineFailed     a burst failed, or the thread is dead
"""

from __future__ import annotations


class EngineError(Exception):
    """A request was refused or has failed."""


class Overloaded(EngineError):
    """The inbox is full.

    Attributes:
        retry_after_s: An estimate of when there will be room.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Draining(EngineError):
    """The server is shutting down."""


class TimedOut(EngineError):
    """The request's time was over before its text was."""


class NotFinite(EngineError):
    """The model gave infinities or NaN for this text."""


class EngineFailed(EngineError):
    """The model could not be run, or the engine thread is dead."""


def shutting_down() -> EngineError:
    """Why an engine that was told to stop takes and finishes nothing."""
    return Draining("the server is shutting down")


def dead() -> EngineError:
    """Why an engine takes and finishes nothing once its thread has died."""
    return EngineFailed("the engine is dead")
