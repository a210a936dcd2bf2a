"""A server under a restart policy: whoever kills it, it is started again, as systemd would."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_RESTART_S = 0.5
"""As `RestartSec` of the unit in deploy/."""
_LOOK_S = 0.25
_TRACEBACK = b"Traceback (most recent call last)"


class Supervised:
    """A server process, and those that take its place.

    Attributes:
        port: Where it listens.
        exits: How each process ended that was started again.
        most_bytes: Most resident memory of any of them.

    Args:
        options: Of `lstm-serve serve`, without the port.
        port: For all of them.
        log: A file for what they write.
    """

    def __init__(self, options: Sequence[str], port: int, log: Path) -> None:
        self.port = port
        self.exits: list[int] = []
        self.most_bytes = 0
        self._command = [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--port",
            str(port),
            *options,
        ]
        self._log = log
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log)

    async def keep(self) -> None:
        """Start it again whenever it ends, and look at its memory; until cancelled."""
        while True:
            status = self._process.poll()
            if status is None:
                self._look()
            else:
                self.exits.append(status)
                await asyncio.sleep(_RESTART_S)
                self._process = self._started()
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        with contextlib.suppress(OSError, IndexError):
            text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
            kilobytes = text.partition("VmHWM:")[2].split()[0]
            self.most_bytes = max(self.most_bytes, int(kilobytes) * 1024)

    def kill(self) -> None:
        """Kill -9."""
        self._process.send_signal(signal.SIGKILL)

    def end(self) -> None:
        """Stop the last one for good."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def num_tracebacks(self) -> int:
        """In all that they have written."""
        return self._log.read_bytes().count(_TRACEBACK)
