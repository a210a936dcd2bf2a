"""The server that is attacked: a child process with its log, or one that runs already."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_START_TIMEOUT_S = 60.0
_TRACEBACK = b"Traceback (most recent call last)"


class Victim:
    """A server.

    Attributes:
        host: Where it is, on this machine.
        port: Of it.
        process: If it is a child of ours.
        pid: Of it, if known.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        process: subprocess.Popen[bytes] | None = None,
        pid: int | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.process = process
        self.pid = process.pid if process else pid
        self._log = log

    @property
    def is_alive(self) -> bool:
        """Does the process run? That of others is taken to."""
        return self.process is None or self.process.poll() is None

    def log(self) -> bytes | None:
        """All that it has written so far; None if that goes elsewhere."""
        if self._log is None:
            return None
        with open(self._log.name, "rb") as file:
            return file.read()

    def num_tracebacks(self) -> int | None:
        """How many are in its log."""
        log = self.log()
        return None if log is None else log.count(_TRACEBACK)

    def num_sockets(self) -> int | None:
        """How many sockets it holds."""
        if self.pid is None:
            return None
        found = 0
        for descriptor in os.scandir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                found += os.readlink(descriptor.path).startswith("socket:")
        return found

    def cpu_s(self) -> float | None:
        """Its processor time so far; None if it is not known, or over."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def send(self, sig: signal.Signals) -> None:
        """Send it a signal; only to a child of ours."""
        assert self.process is not None, "cases with signals have a server of their own"
        self.process.send_signal(sig)


@contextlib.contextmanager
def running(
    options: Sequence[str],
    *,
    module: str = "service.cli",
    descriptors: int | None = None,
    unread_log: bool = False,
) -> Iterator[Victim]:
    """Start a server, wait until it listens, and kill it in any case.

    Args:
        options: Of `lstm-serve serve`.
        module: What is run instead of `service.cli`.
        descriptors: Most files that it may have open, if not as many as this process.
        unread_log: Whether its standard error is a pipe that nobody reads.

    Raises:
        RuntimeError: It does not start; with its log.
    """

    def limit() -> None:
        assert descriptors is not None
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", module, "serve", "--port", str(port)]
    command += ["--session-store", "memory://", *options]
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.PIPE if unread_log else log,
            preexec_fn=limit if descriptors is not None else None,
        )
        victim = Victim("127.0.0.1", port, process=process, log=None if unread_log else log)
        try:
            _wait(victim, process)
            yield victim
        finally:
            process.kill()
            process.communicate() if unread_log else process.wait()


def _wait(victim: Victim, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection((victim.host, victim.port), timeout=1).close()
            return
        time.sleep(0.05)
    written = (victim.log() or b"").decode(errors="replace")
    raise RuntimeError(f"it does not listen (exit status {process.returncode})\n{written}")
