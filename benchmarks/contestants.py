"""What is measured: servers as child processes, and the bare model in this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.load import Measurements, measure
from service.artifacts.store import Artifact
from service.runtime.decoder import SAMPLED, Burst, Row, Sampling
from service.runtime.step import StepGraph
from service.runtime.stepwise import StepwiseDecoder

_START_TIMEOUT_S = 60
_BURST_STEPS = 16


@dataclass(frozen=True)
class Timing:
    """How long a measurement takes, and what each request asks for."""

    warmup_s: float
    duration_s: float
    max_tokens: int


class BareGraph:
    """The step graph in a loop, nothing else: no sampling, no HTTP. The ceiling."""

    name = "bare step graph"
    streams_limit = None

    def __init__(self, artifact: Artifact) -> None:
        self._graph = _step_graph(artifact)

    def measure(self, num_streams: int, timing: Timing) -> Measurements:
        """Steps of `num_streams` rows for as long as `timing` says."""
        token_B = np.zeros(num_streams, np.int64)
        state = self._graph.zero_state(num_streams)
        num_steps = 0
        started_s = time.perf_counter()
        while (elapsed_s := time.perf_counter() - started_s) < timing.duration_s:
            _, state = self._graph(token_B, state)
            num_steps += 1
        return Measurements(num_streams, elapsed_s, num_steps * num_streams)


class BareDecoder:
    """Bursts with sampling in a loop: the ceiling of an engine that samples in numpy."""

    name = "bare decoder (sampling)"
    streams_limit = None

    def __init__(self, artifact: Artifact) -> None:
        self._start_id = artifact.manifest.special_ids.start
        self._decoder = StepwiseDecoder(_step_graph(artifact), capacity=1024)

    def measure(self, num_streams: int, timing: Timing) -> Measurements:
        """Bursts of `num_streams` rows for as long as `timing` says."""
        decoder = self._decoder
        for slot in range(num_streams):
            row = Row.start(decoder.state_width, decoder.vocabulary_size)
            decoder.load(slot, row, Sampling(seed=slot, temperature=0.8))
        slot_B = np.arange(num_streams)
        num_steps_B = np.full(num_streams, _BURST_STEPS)
        keep_B = np.zeros(num_streams, np.bool_)
        forced_KB = np.full((_BURST_STEPS, num_streams), SAMPLED, np.int64)
        forced_KB[0] = self._start_id
        num_tokens = 0
        started_s = time.perf_counter()
        while (elapsed_s := time.perf_counter() - started_s) < timing.duration_s:
            num_tokens += int(
                decoder.burst(Burst(slot_B, forced_KB, num_steps_B, keep_B)).num_steps_B.sum()
            )
            forced_KB[0] = SAMPLED
        return Measurements(num_streams, elapsed_s, num_tokens)


class Server:
    """A server in a child process, measured over real sockets.

    Attributes:
        streams_limit: More streams than this are not measured, if set.
    """

    def __init__(self, name: str, command: list[str], streams_limit: int | None = None) -> None:
        self.name = name
        self.streams_limit = streams_limit
        self._command = command
        self._port = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start it, wait until it listens, and stop it in any case."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *self._command, "--port", str(self._port)],
                stdout=log,
                stderr=log,
            )
            try:
                self._wait(process)
                yield
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

    def measure(self, num_streams: int, timing: Timing) -> Measurements:
        """Let `num_streams` clients read from it."""
        return asyncio.run(
            measure(
                self._port,
                num_streams,
                max_tokens=timing.max_tokens,
                warmup_s=timing.warmup_s,
                duration_s=timing.duration_s,
            )
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise ConnectionError(f"it ended with exit code {process.returncode}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            time.sleep(0.1)
        raise ConnectionError(f"it does not listen after {_START_TIMEOUT_S} s")


Contestant = BareGraph | BareDecoder | Server


def contestants(artifact: Artifact, *, with_torch: bool) -> list[Contestant]:
    """Everything that is compared, lstm-serve first."""
    folder = str(artifact.folder)
    store = str(artifact.folder.parent.parent)
    naive = ["benchmarks.naive_server", "--artifact", folder, "--way"]
    served = ["service.cli", "serve", "--model-store", store, "--models", artifact.ref]
    result: list[Contestant] = [
        Server("lstm-serve", [*served, "--max-rows", "512", "--log-level", "warning"]),
        BareGraph(artifact),
        BareDecoder(artifact),
        Server("one session.run per token", [*naive, "onnxruntime"], streams_limit=64),
    ]
    if with_torch:
        result.append(Server("tutorial (PyTorch)", [*naive, "torch"], streams_limit=64))
    return result


def _step_graph(artifact: Artifact) -> StepGraph:
    return StepGraph(
        artifact.read(artifact.manifest.model_file),
        num_threads=os.cpu_count() or 1,
        state_names=[tensor.name for tensor in artifact.manifest.state],
    )
