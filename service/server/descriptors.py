"""Open files: each connection is one."""

from __future__ import annotations

import logging
import resource

from service.server.connections import RESERVE

_log = logging.getLogger(__name__)
_OWN_FILES = 64


def connections_within_limit(most: int) -> int:
    """Raise the soft limit of open files to the hard one; returns how many connections fit into it.

    Args:
        most: More are not wanted. A limit that allows fewer is a line in the log.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError) as error:
        _log.warning("the limit of open files stays at %d: %s", soft, error)
    if soft == resource.RLIM_INFINITY or soft >= most + RESERVE + _OWN_FILES:
        return most
    fitting = max(1, soft - RESERVE - _OWN_FILES)
    _log.warning(
        "the limit of %d open files allows %d connections, not %d: raise the hard limit "
        "(ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker)",
        soft,
        fitting,
        most,
    )
    return fitting
