"""What was accepted and is not over: a server that shuts down waits for it, memory bounds it."""

from __future__ import annotations

from contextlib import ExitStack

from service.access.limits import Allowance, Spending
from service.engine.errors import Overloaded

_RETRY_AFTER_S = 5.0


class Accounts:
    """Counts texts that are not complete, and the memory that their results may take.

    Args:
        max_result_bytes: Of all results together.

    Attributes:
        num_unfinished: Texts that were accepted and are not complete.
        num_result_bytes: Of the results that are on their way, at most.
    """

    def __init__(self, max_result_bytes: int) -> None:
        self.num_unfinished = 0
        self._max_result_bytes = max_result_bytes
        self.num_result_bytes = 0

    def accept(
        self,
        num_result_bytes: int,
        allowance: Allowance | None = None,
        *,
        most_tokens: int = 0,
    ) -> Ticket:
        """A place for one more text; `Ticket.close` must follow.

        Args:
            num_result_bytes: Of its result, at most.
            allowance: Of whoever asks.
            most_tokens: That it may write.

        Raises:
            Overloaded: Results of so many bytes do not fit.
            LimitReached: Whoever asks has asked for too much.
        """
        [ticket] = self.accept_all(num_result_bytes, 1, allowance, most_tokens)
        return ticket

    def accept_all(
        self,
        num_result_bytes: int,
        num_texts: int,
        allowance: Allowance | None = None,
        most_tokens: int = 0,
    ) -> list[Ticket]:
        """Places for all texts of one request, each as of `accept`, or for none.

        Raises:
            Overloaded, LimitReached: As above.
        """
        total = self.num_result_bytes + num_texts * num_result_bytes
        # Any single request is taken: what it may ask for was judged at the door.
        if num_result_bytes and self.num_result_bytes and total > self._max_result_bytes:
            raise Overloaded(
                f"results of up to {self.num_result_bytes} bytes are on their way already",
                _RETRY_AFTER_S,
            )
        spendings = _begun(allowance, most_tokens, num_texts)
        self.num_unfinished += num_texts
        self.num_result_bytes = total
        return [Ticket(self, num_result_bytes, spending) for spending in spendings]

    def finished(self) -> None:
        """A text is complete, or given up."""
        self.num_unfinished -= 1

    def released(self, num_result_bytes: int) -> None:
        """The result of a text is sent, or dropped."""
        self.num_result_bytes -= num_result_bytes


class Ticket:
    """One text's place in the accounts.

    Attributes:
        num_tokens: That it has read and written.
    """

    def __init__(
        self, accounts: Accounts, num_result_bytes: int, spending: Spending | None
    ) -> None:
        self.num_tokens = 0
        self._accounts = accounts
        self._num_result_bytes = num_result_bytes
        self._spending = spending
        self._is_finished = False
        self._is_closed = False

    def finish(self) -> None:
        """The text is complete; its result is still there."""
        if not self._is_finished:
            self._is_finished = True
            self._accounts.finished()

    def close(self) -> None:
        """Nothing of the text is left; harmless when called again."""
        self.finish()
        if not self._is_closed:
            self._is_closed = True
            self._accounts.released(self._num_result_bytes)
            if self._spending:
                self._spending.close(self.num_tokens)


def _begun(
    allowance: Allowance | None, most_tokens: int, num_texts: int
) -> list[Spending] | list[None]:
    """What each text takes of the allowance: all of them, or none."""
    if allowance is None:
        return [None] * num_texts
    begun: list[Spending] = []
    with ExitStack() as undo:
        for _ in range(num_texts):
            begun.append(allowance.begin(most_tokens))
            undo.callback(begun[-1].close, num_tokens=0)
        undo.pop_all()
    return begun
