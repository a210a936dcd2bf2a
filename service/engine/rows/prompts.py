"""Which part of a prompt has to be read, and by which request: the cache, and single flight."""

from __future__ import annotations

from service.engine.rows.flights import Flights
from service.engine.rows.job import Job
from service.engine.rows.prefix_cache import PrefixCache
from service.rows.row import Row


class Prompts:
    """Lets a prompt begin where an earlier or a running one has been.

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
        progress, least = job.progress, self.cache.min_tokens
        job.row, progress.num_read = found.row, found.num_read
        if self.cache.keeps and progress.num_to_read >= least:
            key = f"{request.cache_salt}\n".encode() + request.prompt_T.tobytes()
            if not self._flights.join(key, request_id):
                return False
            if found.num_shared - found.num_read >= least:
                progress.pause_at = found.num_shared
        job.stream.num_cached = found.num_read
        self.num_tokens_saved += found.num_read
        return True

    def wants_row_at_end(self, job: Job) -> bool:
        """Whether other prompts may go on from the end of this one."""
        is_long = len(job.request.prompt_T) >= self.cache.min_tokens
        return self.cache.keeps and is_long and job.request.past is None

    def is_worth_keeping(self, job: Job) -> bool:
        """Whether other prompts may go on from where this one is."""
        progress = job.progress
        is_at_place = progress.num_read in {progress.num_prompt, progress.pause_at}
        is_long = progress.num_read >= self.cache.min_tokens
        return is_at_place and is_long and self.wants_row_at_end(job)

    def keep(self, job: Job, row: Row) -> None:
        """Remember the row of what was read of a prompt."""
        self.cache.put(job.request.cache_salt, job.request.prompt_T[: job.progress.num_read], row)

    def leave(self, request_id: int) -> list[int]:
        """A request has read its prompt, or is gone; returns those who have waited for it."""
        return self._flights.leave(request_id)
