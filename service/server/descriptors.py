"""Open files: each connection is one."""

from __future__ import annotations

import logging
import resource

from service.server.connections import RESERVE

_log = logging.getLogger(__name__)
_OWN_FILES = 64


def connections_within_limit(most: int) -> int:
    """Raise the limit of open files as far as it goes; returns how many connections fit into it.

    Args:
        most: More are not wanted.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + RESERVE + _OWN_FILES
    if soft < wanted and soft != resource.RLIM_INFINITY:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return most
    fitting = max(1, soft - RESERVE - _OWN_FILES)
    _log.warning("the limit of %d open files allows %d connections, not %d", soft, fitting, most)
    return fitting
