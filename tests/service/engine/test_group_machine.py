"""Groups of requests on the whole engine, in any order of events, against each request alone."""

from dataclasses import replace

import hypothesis
import numpy as np
from hypothesis import stateful
from hypothesis import strategies as st

from service.engine.request import Request
from service.engine.rows.prefix_cache import PrefixCache
from tests.service.engine.machine_texts import Text
from tests.service.engine.test_worker_machine import _PROMPTS, EngineMachine
from tests.service.runtime.test_batch_invariance import _samplings

_LONG = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20] * 3


class GroupMachine(EngineMachine):
    """Groups beside all else that the machine does; the prompt has one reader at a time."""

    def __init__(self):
        super().__init__()
        self.groups: list[list[int]] = []

    @stateful.rule(
        data=st.data(),
        prompt=st.sampled_from([*_PROMPTS, _LONG, []]),
        members=st.lists(
            st.tuples(st.integers(0, 12), _samplings, st.booleans()), min_size=2, max_size=6
        ),
        client=st.sampled_from("abc"),
    )
    def submit_group(self, data, prompt, members, client):
        """Several texts with one prompt, from the start or from the end of another text."""
        past = data.draw(st.sampled_from([None, *self.rows]))
        if not prompt and past is None:
            return
        first = Request(
            prompt_T=np.array(prompt, np.int64),
            max_tokens=1,
            sampling=members[0][1],
            timeout_s=600.0,
            past=past,
            client=client,
        )
        requests = [
            replace(
                first,
                max_tokens=max_tokens if prompt else max_tokens + 1,
                sampling=sampling,
                return_row=keep,
                rows_every=5 if keep else 0,
            )
            for max_tokens, sampling, keep in members
        ]
        streams = self.engine.submit_all(requests)
        self.texts += [Text(*each) for each in zip(requests, streams, strict=True)]
        self.groups.append([stream.request_id for stream in streams])

    @stateful.invariant()
    def a_prompt_is_read_by_one(self):
        """Of each group at most one request reads, wherever the others are.

        Those that go back to an earlier place of their own texts read what they have written.
        """
        jobs = self.engine._rows.jobs
        for request_ids in self.groups:
            members = [jobs[n] for n in request_ids if n in jobs and not jobs[n].goes_back]
            reading = [job for job in members if job.is_loaded and job.progress.num_to_read]
            assert len(reading) <= 1


class GroupMachineWithoutCache(GroupMachine):
    """The same, where nothing is known of any earlier prompt."""

    def __init__(self):
        super().__init__()
        self.cache = self.engine._rows.prompts.cache = PrefixCache(max_bytes=0)


TestGroups = GroupMachine.TestCase
TestGroupsWithoutCache = GroupMachineWithoutCache.TestCase
TestGroups.settings = TestGroupsWithoutCache.settings = hypothesis.settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
