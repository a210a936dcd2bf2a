"""What is measured: servers as child processes, and the bare model in this one."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.bare import BareBurst, BareBursts, BareStep, Model
from benchmarks.load import Ask, measure
from service.artifacts.store import Artifact
from service.load.measurements import Measurements
from service.load.recorder import Timing

OURS = "lstm-serve"
OURS_AT_ONCE = "lstm-serve, not streaming"
NEW_PROMPT = "new prompts of 1,000"
SAME_PROMPT = "the same prompt of 1,000"

_START_TIMEOUT_S = 60


class Bare:
    """One of the ceilings: a graph in a loop in this process.

    Attributes:
        streams_limit: See `Served`.
    """

    streams_limit = None

    def __init__(self, name: str, make: Callable[[int], BareStep | BareBurst | BareBursts]) -> None:
        self.name = name
        self._make = make

    def measure(self, num_streams: int, timing: Timing) -> Measurements:
        """Run `num_streams` rows for as long as `timing` says."""
        graph = self._make(num_streams)
        graph.run()
        num_tokens = 0
        started_s = time.perf_counter()
        while (elapsed_s := time.perf_counter() - started_s) < timing.duration_s:
            num_tokens += graph.run()
        return Measurements(elapsed_s, num_tokens)


class Server:
    """A server in a child process.

    Args:
        name: Of the contestant.
        command: What is run, without its port.
        launcher: What runs it.
        ready_path: A route that answers 200 when it is ready; None: as soon as it listens.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        launcher: Sequence[str] = (sys.executable, "-m"),
        ready_path: str | None = None,
    ) -> None:
        self.name = name
        self.port = 0
        self._command = [*launcher, *command]
        self._ready_path = ready_path

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start it, wait until it listens, and stop it in any case."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [*self._command, "--port", str(self.port)],
                stdout=log,
                stderr=log,
            )
            try:
                self._wait(process)
                yield process
            except ConnectionError as error:
                log.seek(0)
                raise RuntimeError(f"{self.name}: {error}\n{log.read().decode()}") from error
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise ConnectionError(f"it ended with exit code {process.returncode}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._is_ready():
                    return
            time.sleep(0.1)
        raise ConnectionError(f"it is not ready after {_START_TIMEOUT_S} s")

    def _is_ready(self) -> bool:
        if self._ready_path is None:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.closing(connection):
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == http.HTTPStatus.OK


@dataclass(frozen=True)
class Served:
    """A server, asked in some way over real sockets.

    Attributes:
        streams_limit: More streams than this are not measured, if set.
    """

    name: str
    server: Server
    ask: Ask
    streams_limit: int | None = None

    def measure(self, num_streams: int, timing: Timing) -> Measurements:
        """Let `num_streams` clients read from it."""
        return asyncio.run(measure(self.server.port, num_streams, self.ask, timing))


Contestant = Bare | Served


def contestants(artifact: Artifact, max_tokens: int, *, with_torch: bool) -> list[Contestant]:
    """Everything that is compared, lstm-serve first."""
    folder = str(artifact.folder)
    store = str(artifact.folder.parent.parent)
    naive = ["benchmarks.naive_server", "--artifact", folder, "--way"]
    command = ["service.cli", "serve", "--model-store", store, "--models", artifact.ref]
    command += ["--session-store", "memory://"]
    ours = Server(OURS, [*command, "--max-rows", "512", "--log-level", "warning"])
    stream = Ask(max_tokens)
    prompt = replace(stream, prompt_size=1000)
    model = Model.of(artifact)
    result: list[Contestant] = [
        Served(OURS, ours, stream),
        Served(OURS_AT_ONCE, ours, replace(stream, stream=False)),
        Bare("bare burst graph", lambda num_rows: BareBurst(model, num_rows)),
        Bare("the same, one a core", lambda num_rows: BareBursts(model, num_rows)),
        Bare("bare step graph", lambda num_rows: BareStep(model, num_rows)),
    ]
    peers = {"onnxruntime": "one session.run per token"}
    if with_torch:
        peers["torch"] = "tutorial (PyTorch)"
    result += [Served(name, Server(name, [*naive, w]), stream, 64) for w, name in peers.items()]
    return [
        *result,
        Served(NEW_PROMPT, ours, replace(prompt, fresh=True), streams_limit=1),
        Served(SAME_PROMPT, ours, prompt, streams_limit=1),
    ]
