"""The same model in Triton, for `benchmarks.peers --triton`: a decoupled model, a token an event.

    ENVIRONMENT/bin/python benchmarks/triton_server.py --graph FILE --alphabet FILE --port PORT

Runs in an environment of its own (`benchmarks.triton_environment`) and imports nothing of this
project, which is not installed there. It is asked at POST /v2/models/lstm/generate_stream, which is
Triton's own HTTP server: each text is one call of a generator, which runs the int8 graph once for
each token and yields it as an event. As in the other peer, the generator is a coroutine, the prompt
is read in one go, and as many threads as there are cores run the graph.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

NAME = "lstm"


class Writer:
    """Writes texts, one run of the graph for each token.

    Args:
        graph: A step graph.
        alphabet: What each id stands for.
    """

    def __init__(self, graph: Path, alphabet: list[str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        self._widths = {
            value.name.removeprefix("state."): value.shape[1]
            for value in self._session.get_inputs()
            if value.name.startswith("state.")
        }
        self._alphabet = alphabet
        self._ids = {text: n for n, text in enumerate(alphabet)}
        self._threads = ThreadPoolExecutor(os.cpu_count())

    async def text(
        self, prompt: str, max_tokens: int, temperature: float, seed: int
    ) -> AsyncIterator[str]:
        """The tokens after a prompt, one by one."""
        state = {name: np.zeros((1, width), np.float32) for name, width in self._widths.items()}
        random, loop = np.random.default_rng(seed), asyncio.get_running_loop()
        following = 0

        def read(ids: list[int]) -> None:
            nonlocal state, following
            for token in ids:
                logits_V, state = self._step(token, state)
                following = _drawn(logits_V, temperature, random)

        ids = [self._ids.get(character, 0) for character in prompt]
        await loop.run_in_executor(self._threads, read, ids)
        for num_left in reversed(range(max_tokens)):
            yield self._alphabet[following]
            if num_left:
                await loop.run_in_executor(self._threads, read, [following])

    def _step(self, token: int, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        names = list(state)
        feed = {"token": np.array([token]), **{f"state.{n}": v for n, v in state.items()}}
        outputs = ["logits", *(f"next_state.{name}" for name in names)]
        logits_1V, *after = self._session.run(outputs, feed)
        return logits_1V[0], dict(zip(names, after, strict=True))


def _drawn(logits_V: Any, temperature: float, random: np.random.Generator) -> int:
    scaled_V = logits_V / temperature
    cumulative_V = np.cumsum(np.exp(scaled_V - scaled_V.max()))
    drawn = int(np.searchsorted(cumulative_V, random.random() * cumulative_V[-1]))
    return min(drawn, len(cumulative_V) - 1)


def serve(writer: Writer, port: int) -> None:
    """Serve until killed."""
    # Only this environment has it.
    from pytriton.model_config import ModelConfig, Tensor
    from pytriton.triton import Triton, TritonConfig

    async def generate(requests: list[Any]) -> AsyncIterator[list[dict[str, Any]]]:
        [request] = requests
        values = {name: value.reshape(-1)[0] for name, value in request.items()}
        texts = writer.text(
            values["prompt"].decode("utf-8"),
            int(values["max_tokens"]),
            float(values["temperature"]),
            int(values["seed"]),
        )
        async for text in texts:
            yield [
                {
                    "text": np.array([text.encode("utf-8")], np.bytes_),
                    "num_tokens": np.array([1], np.int32),
                }
            ]

    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=port,
        http_thread_count=8,
        allow_grpc=False,
        allow_metrics=False,
        log_verbose=0,
        exit_on_error=True,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name=NAME,
            infer_func=generate,
            inputs=[
                Tensor(name="prompt", dtype=bytes, shape=(1,)),
                Tensor(name="max_tokens", dtype=np.int32, shape=(1,)),
                Tensor(name="temperature", dtype=np.float32, shape=(1,)),
                Tensor(name="seed", dtype=np.int64, shape=(1,)),
            ],
            outputs=[
                Tensor(name="text", dtype=bytes, shape=(1,)),
                Tensor(name="num_tokens", dtype=np.int32, shape=(1,)),
            ],
            config=ModelConfig(batching=False, decoupled=True),
            strict=False,
        )
        triton.serve()


def main() -> None:
    """Read the model, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--alphabet", type=Path, required=True, help="JSON: a text for each id")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    alphabet = json.loads(options.alphabet.read_text(encoding="utf-8"))
    serve(Writer(options.graph, alphabet), options.port)


if __name__ == "__main__":
    main()
