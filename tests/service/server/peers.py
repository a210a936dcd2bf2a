"""A transport, a clock and a helper or two for connections."""

import asyncio
import json

WRITE_TIMEOUT_S = 60.0


class Transport:
    """A socket that keeps what is written; the peer takes as much of it as it likes."""

    def __init__(self):
        self.written = b""
        self.num_unread = 0
        self.state = "open"
        self.is_read = True

    def write(self, data):
        """Keep it; like uvloop, take nothing behind the end."""
        if self.state == "half-closed":
            raise RuntimeError("Cannot call write() after write_eof()")
        self.written += data

    def get_write_buffer_size(self):
        """What the peer has not taken."""
        return self.num_unread

    def is_closing(self):
        """Whether it is on its way down."""
        return self.state in ("closed", "aborted")

    def close(self):
        """Close when all is taken."""
        self.state = "closed"

    def abort(self):
        """Close at once."""
        self.state = "aborted"

    def can_write_eof(self):
        """Like TCP."""
        return True

    def write_eof(self):
        """No more from here."""
        self.state = "half-closed"

    def get_extra_info(self, _name, default=None):
        """Nothing is known."""
        return default

    def pause_reading(self):
        """No more bytes."""
        self.is_read = False

    def resume_reading(self):
        """More bytes."""
        self.is_read = True

    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        head, _, body = self.written.partition(b"\r\n\r\n")
        assert b"x-request-id: r_" in head
        return int(head.split()[1]), json.loads(body)["error"]["code"]


class Other:
    """Another connection."""

    def drop(self):
        """It is dropped."""

    def overdue(self, _now_s):
        """Never."""
        return False


class Clock:
    """The loop's time."""

    def __init__(self):
        self.now_s = 100.0

    def time(self):
        """Now."""
        return self.now_s


def after(peer, seconds):
    """Let time pass."""
    peer.clock.now_s += seconds
    peer.connections.sweep(peer.clock.now_s)


async def settle():
    """Let everybody do what they can."""
    for _ in range(5):
        await asyncio.sleep(0)
