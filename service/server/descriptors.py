"""Open files: each connection is one."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
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
        _make_table(most + RESERVE + _OWN_FILES)
        return most
    fitting = max(1, soft - RESERVE - _OWN_FILES)
    _log.warning(
        "the limit of %d open files allows %d connections, not %d: raise the hard limit "
        "(ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker)",
        soft,
        fitting,
        most,
    )
    _make_table(soft)
    return fitting


def _make_table(number: int) -> None:
    """Have the kernel make its table of this process's open files large enough at once.

    Linux doubles the table when a descriptor does not fit in. With several threads each doubling
    waits for all processors (`synchronize_rcu` in `expand_fdtable`), 10 to 30 ms of the event loop.
    """
    with open(os.devnull, "rb") as file, contextlib.suppress(OSError):
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, number - 1))
