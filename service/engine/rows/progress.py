"""How far a request is: what it has read, and what it still has to read and to write. Ints only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """How far a request is.

    Attributes:
        num_prompt: Tokens of its prompt.
        num_to_write: Tokens that are still to be written after it.
        num_read: Tokens of the prompt that are read.
        pause_at: A burst ends after so many tokens of the prompt, since the row there is worth
            keeping; 0 for no such place.
        num_taken: Steps that were taken.
    """

    num_prompt: int
    num_to_write: int
    num_read: int = 0
    pause_at: int = 0
    num_taken: int = 0

    @property
    def num_to_read(self) -> int:
        """Tokens of the prompt that are not yet read."""
        return self.num_prompt - self.num_read

    @property
    def num_to_pause(self) -> int:
        """Tokens until the next burst of readers has to end."""
        return self.pause_at - self.num_read if self.pause_at > self.num_read else self.num_to_read

    @property
    def num_left(self) -> int:
        """Steps until the request is complete, at most."""
        return self.num_to_read + self.num_to_write

    def book(self, num_steps: int) -> None:
        """Take note of a burst: the prompt is read first."""
        self.num_taken += num_steps
        num_read = min(num_steps, self.num_to_read)
        self.num_read += num_read
        self.num_to_write -= num_steps - num_read
