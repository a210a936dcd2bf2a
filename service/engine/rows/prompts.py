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
        self.flights = Flights()
        self.num_tokens_saved = 0

    def begin(self, request_id: int, job: Job) -> bool:
        """Skip what is known of a prompt; returns whether the request is to read the rest itself.

        It is not while another one, which has a slot, reads the same. So it is never later than it
        would be alone: the other one has begun before it.
        """
        request = job.request
        # A session's row is its own, and what is reported has to be read.
        if request.past is not None or request.reports_read:
            return True
        found = self.cache.find(request.cache_salt, request.prompt_T)
        least = self.cache.min_tokens
        reads = True
        if self.cache.keeps and len(request.prompt_T) - found.num_read >= least:
            key = f"{request.cache_salt}\n".encode() + request.prompt_T.tobytes()
            reads = self.flights.join(key, request_id)
            if found.num_shared - found.num_read >= least:
                job.progress.pause_at = found.num_shared
        if reads:
            self.go_on(job, found.row, found.num_read)
        return reads

    def go_on(self, job: Job, row: Row | None, num_read: int) -> None:
        """A prompt begins where another one has been: at `row`, which has read so much of it."""
        job.row, job.progress.num_read = row, num_read
        job.stream.num_cached = num_read
        self.num_tokens_saved += num_read

    def wants_row_at_end(self, job: Job) -> bool:
        """Whether other prompts may go on from the end of this one."""
        is_long = len(job.request.prompt_T) >= self.cache.min_tokens
        request = job.request
        return self.cache.keeps and is_long and request.past is None and not request.reports_read

    def is_worth_keeping(self, job: Job) -> bool:
        """Whether other prompts may go on from where this one is."""
        progress = job.progress
        is_at_place = progress.num_read in {progress.num_prompt, progress.pause_at}
        is_long = progress.num_read >= self.cache.min_tokens
        return is_at_place and is_long and self.wants_row_at_end(job)

    def keep(self, job: Job, row: Row) -> None:
        """Remember the row of what was read of a prompt."""
        self.cache.put(job.request.cache_salt, job.request.prompt_T[: job.progress.num_read], row)
