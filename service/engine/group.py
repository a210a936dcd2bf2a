"""Several requests with one beginning: it is read once, whoever of them reads it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from service.engine.request import Request
from service.rows.row import Row


@dataclass(eq=False, slots=True)
class Group:
    """What the requests of a group that have not read their prompt share.

    Those that have read it leave the group, so the row goes with the last one that needs it.

    Attributes:
        key: Of the flight in which the prompt is read, once one of them has begun.
        row: After the prompt, once one of them has read it.
    """

    key: Hashable = None
    row: Row | None = None

    @classmethod
    def of(cls, requests: Sequence[Request]) -> Self | None:
        """The group of requests that are handed in together; one alone needs none.

        Raises:
            ValueError: They do not begin alike, or want to be told what is read.
        """
        first = requests[0]
        for request in requests[1:]:
            is_alike = request.past is first.past and request.cache_salt == first.cache_salt
            if not is_alike or not np.array_equal(request.prompt_T, first.prompt_T):
                raise ValueError("requests of a group go on from one past, with one prompt")
        if len(requests) == 1:
            return None
        if any(request.reports_read for request in requests):
            raise ValueError("a prompt that is read once cannot be reported to several requests")
        return cls()
