"""Who holds a lease, and whether that process is known to be dead."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holder:
    """A process.

    Attributes:
        host: Its machine.
        pid: Its number there.
        start: Of this run: numbers are used again, in a container at once.
    """

    host: str
    pid: int
    start: str

    @classmethod
    def this_process(cls) -> Holder:
        """The one that asks."""
        return cls(socket.gethostname(), os.getpid(), secrets.token_hex(8))

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.start}"

    def knows_dead(self, holder: str) -> bool:
        """Whether another one certainly does not run any more; its leases are void then.

        Of other machines that cannot be known: their leases end when their time is over.
        """
        host, _, rest = holder.rpartition(":")[0].rpartition(":")
        if host != self.host or not rest.isdecimal() or holder == str(self):
            return False
        if int(rest) == self.pid:
            return True  # an earlier run had the number that is this one's now
        try:
            os.kill(int(rest), 0)
        except ProcessLookupError:
            return True
        except OSError:  # it runs, and is somebody else's
            return False
        return False
