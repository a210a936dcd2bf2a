"""Observers that may fail: the run goes on without them."""

from __future__ import annotations

from collections.abc import Callable

from training.runs.records import EvaluationRecord, Observer, RunRecord, StepRecord


class Enduring:
    """An observer whose failure ends itself, is said once, and never ends the run."""

    def __init__(self, observer: Observer, what: str, tell: Callable[[str], None]) -> None:
        """Watch through `observer`, called `what` in the message that `tell` is given."""
        self._observer = observer
        self._what = what
        self._tell = tell
        self._has_failed = False

    def started(self, record: RunRecord) -> None:
        """Pass on."""
        self._do(lambda: self._observer.started(record))

    def stepped(self, record: StepRecord) -> None:
        """Pass on."""
        self._do(lambda: self._observer.stepped(record))

    def looking(self) -> None:
        """Pass on."""
        self._do(self._observer.looking)

    def evaluated(self, record: EvaluationRecord) -> None:
        """Pass on."""
        self._do(lambda: self._observer.evaluated(record))

    def finished(self) -> None:
        """Pass on, also after a failure: what is open is closed."""
        had_failed, self._has_failed = self._has_failed, False
        self._do(self._observer.finished, is_said=not had_failed)

    def _do(self, action: Callable[[], None], *, is_said: bool = True) -> None:
        if self._has_failed:
            return
        try:
            action()
        # Whatever a library for pictures or event files raises: hours of training hang on it.
        except Exception as error:  # noqa: BLE001
            self._has_failed = True
            if is_said:
                why = getattr(error, "strerror", None) or error
                self._tell(f"note: {self._what} failed ({why}): the training goes on without")
