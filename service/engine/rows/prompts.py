"""What has to be read of a prompt, and by whom: the cache and single flight, for the engine."""

from __future__ import annotations

from dataclasses import dataclass

from service.engine.request import Request
from service.engine.rows.flights import Flights
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.stream import TokenStream
from service.rows.arrays import Int64
from service.rows.row import Row


@dataclass(slots=True)
class Job:
    """A request in the engine, and how far its prompt was read.

    Attributes:
        row: The row, while the request has no slot; None is the start.
        num_read: Tokens of the prompt that are behind it.
        num_shared: Where its prompt parts from another one, if the row there should be kept.
        waiting: Whether it has never had a slot.
    """

    request: Request
    stream: TokenStream
    deadline_s: float
    row: Row | None
    num_read: int = 0
    num_shared: int = 0
    waiting: bool = True

    @property
    def num_to_read(self) -> int:
        """Tokens of the prompt that are not yet read."""
        return len(self.request.prompt_T) - self.num_read

    def next_to_read(self, num_tokens: int) -> Int64:
        """The next tokens of the prompt."""
        return self.request.prompt_T[self.num_read : self.num_read + num_tokens]


class Prompts:
    """Lets requests begin where others have been.

    Args:
        cache: Rows that are known.
    """

    def __init__(self, cache: PrefixCache) -> None:
        self.cache = cache
        self.num_tokens_saved = 0
        self._flights = Flights()

    def begin(self, request_id: int, job: Job) -> bool:
        """Skip what is known of its prompt; returns whether the request may be queued.

        It may not while another one reads the same: `leave` of that one returns it.
        """
        request = job.request
        if request.past is not None:  # a session's row is its own
            return True
        found = self.cache.find(request.cache_salt, request.prompt_T)
        job.row, job.num_read = found.row, found.num_read
        least = self.cache.min_tokens
        if self.cache.keeps and job.num_to_read >= least:
            key = f"{request.cache_salt}\n".encode() + request.prompt_T.tobytes()
            if not self._flights.join(key, request_id):
                return False
            if found.num_shared - found.num_read >= least:
                job.num_shared = found.num_shared
        job.stream.num_cached = job.num_read
        self.num_tokens_saved += job.num_read
        return True

    def wants_row_at_end(self, job: Job) -> bool:
        """Whether other prompts may go on from the end of this one."""
        is_long = len(job.request.prompt_T) >= self.cache.min_tokens
        return self.cache.keeps and is_long and job.request.past is None

    def is_worth_keeping(self, job: Job) -> bool:
        """Whether other prompts may go on from where this one is."""
        is_at_place = job.num_to_read == 0 or job.num_read == job.num_shared
        is_long = job.num_read >= self.cache.min_tokens
        return is_at_place and is_long and self.wants_row_at_end(job)

    def keep(self, job: Job, row: Row) -> None:
        """Remember the row of what was read of a prompt."""
        self.cache.put(job.request.cache_salt, job.request.prompt_T[: job.num_read], row)

    def leave(self, request_id: int) -> list[int]:
        """A request has read its prompt, or is gone; returns those who have waited for it."""
        return self._flights.leave(request_id)
