"""Which part of a prompt has to be read, and by which request: the cache, and single flight."""

from __future__ import annotations

from collections.abc import Hashable

from service.engine.rows.flights import Flights
from service.engine.rows.job import Job
from service.engine.rows.prefix_cache import Found, PrefixCache
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
        group, least = job.group, self.cache.min_tokens
        if group is not None and group.row is not None:
            self.go_on(job, group.row)
            return True
        found = self._known(job)
        num_left = len(job.request.prompt_T) - max(found.num_read, job.progress.num_read)
        if found.num_shared - found.num_read >= least:
            job.progress.pause_at = found.num_shared
        key = self._key(job, num_left)
        reads = key is None or self.flights.join(key, request_id)
        if reads:
            self.go_on(job, found.row)
        return reads

    def _known(self, job: Job) -> Found:
        """What is known of a prompt: a past is its own, and what is reported has to be read."""
        request = job.request
        if request.past is not None or request.reports_read:
            return Found(None, 0, 0)
        return self.cache.find(request.cache_salt, request.prompt_T)

    def _key(self, job: Job, num_left: int) -> Hashable:
        """Of the flight that a request with so many unknown tokens is to join; None: of none."""
        request, group = job.request, job.group
        if group is not None and group.key is not None:
            return group.key if num_left else None
        key: Hashable = None
        if self._is_for_others(job) and num_left >= self.cache.min_tokens:
            key = f"{request.cache_salt}\n".encode() + request.prompt_T.tobytes()
        elif group is not None and num_left:
            key = group
        if group is not None:
            group.key = key
        return key

    def go_on(self, job: Job, row: Row | None) -> None:
        """A prompt begins where another one has been: at `row`, if that is farther than it is."""
        num_saved = job.num_read_at(row) - job.progress.num_read
        if num_saved > 0:
            job.row = row
            job.progress.num_read += num_saved
            job.stream.num_cached += num_saved
            self.num_tokens_saved += num_saved
        self._tell_group(job, row)

    def _is_for_others(self, job: Job) -> bool:
        """Whether any other request may go on from where this prompt has been."""
        request = job.request
        return self.cache.keeps and request.past is None and not request.reports_read

    def wants_row_at_end(self, job: Job) -> bool:
        """Whether other prompts may go on from the end of this one."""
        is_long = len(job.request.prompt_T) >= self.cache.min_tokens
        return job.group is not None or (is_long and self._is_for_others(job))

    def is_worth_keeping(self, job: Job) -> bool:
        """Whether other prompts may go on from where this one is."""
        progress = job.progress
        if job.group is not None and progress.num_to_read == 0:
            return True
        is_at_place = progress.num_read in {progress.num_prompt, progress.pause_at}
        is_long = progress.num_read >= self.cache.min_tokens
        return is_at_place and is_long and self._is_for_others(job)

    def keep(self, job: Job, row: Row) -> None:
        """Remember the row of what was read of a prompt."""
        if self._is_for_others(job):
            id_T = job.request.prompt_T[: job.progress.num_read]
            self.cache.put(job.request.cache_salt, id_T, row)
        self._tell_group(job, row)

    def _tell_group(self, job: Job, row: Row | None) -> None:
        """The others of its group begin at the end of the prompt, once one of them is there."""
        if job.group is not None and job.progress.num_to_read == 0:
            job.group.row = job.group.row or row
            job.group = None
