"""The servers that lstm-serve is compared with: one loop for each request, as tutorials show it.

    python -m benchmarks.naive_server --way torch|onnxruntime|async --artifact FOLDER --port PORT

A FastAPI endpoint in the thread pool runs the model for one token, samples, sends it as an event,
and begins again. `torch` is the tutorial: `nn.LSTM` with the sizes of the artefact (its weights are
random; that changes no time). `onnxruntime` runs the artefact's own graph, one `session.run` for
each token of each request. `async` does that as well as it can be done so: the endpoint is a
coroutine, the prompt is read in one go, and as many threads as there are cores run the graph.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from service.artifacts.manifest import Manifest
from service.artifacts.store import Artifact, read_manifest
from service.artifacts.tokenizer import Tokenizer
from service.runtime.step import StepGraph

Step = Callable[[int, Any], tuple[int, Any]]
"""Reads a token in a state (None to begin with); returns the token that follows, and the state."""


class Ask(BaseModel):
    """What the load generator sends."""

    prompt: str
    max_tokens: int
    temperature: float
    seed: int
    stream: bool


def create_app(make_step: Callable[[Ask], Step], tokenizer: Tokenizer) -> FastAPI:
    """The tutorial's server."""
    app = FastAPI()

    @app.post("/generate")
    def generate(ask: Ask) -> StreamingResponse:
        def events() -> Iterator[str]:
            step = make_step(ask)
            state = None
            for token in tokenizer.encode(ask.prompt):
                following, state = step(token, state)
            for _ in range(ask.max_tokens):
                yield _event(tokenizer, following)
                following, state = step(following, state)

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def create_async_app(make_step: Callable[[Ask], Step], tokenizer: Tokenizer) -> FastAPI:
    """The same by coroutines, with a thread for each core."""
    app = FastAPI()
    threads = ThreadPoolExecutor(os.cpu_count())

    @app.post("/generate")
    async def generate(ask: Ask) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            step, loop = make_step(ask), asyncio.get_running_loop()

            def read() -> tuple[int, Any]:
                following, state = 0, None
                for token in tokenizer.encode(ask.prompt):
                    following, state = step(token, state)
                return following, state

            following, state = await loop.run_in_executor(threads, read)
            for num_left in reversed(range(ask.max_tokens)):
                yield _event(tokenizer, following)
                if num_left:
                    following, state = await loop.run_in_executor(threads, step, following, state)

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def _event(tokenizer: Tokenizer, token: int) -> str:
    data = {"text": tokenizer.decode([token]), "num_tokens": 1}
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def torch_way(manifest: Manifest) -> Callable[[Ask], Step]:
    """nn.Embedding, nn.LSTM, nn.Linear, softmax, multinomial."""
    import torch
    from torch import nn

    sizes = manifest.sizes
    torch.manual_seed(0)
    embedding = nn.Embedding(manifest.vocabulary_size, sizes["embedding_size"])
    lstm = nn.LSTM(
        sizes["embedding_size"], sizes["hidden_size"], sizes["num_layers"], batch_first=True
    )
    projection = nn.Linear(sizes["hidden_size"], manifest.vocabulary_size)

    def make_step(ask: Ask) -> Step:
        generator = torch.Generator().manual_seed(ask.seed)

        @torch.no_grad()
        def step(token: int, state: Any) -> tuple[int, Any]:
            output, state = lstm(embedding(torch.tensor([[token]])), state)
            weights = torch.softmax(projection(output[0, -1]) / ask.temperature, dim=-1)
            return int(torch.multinomial(weights, 1, generator=generator)), state

        return step

    return make_step


def onnxruntime_way(graph: StepGraph) -> Callable[[Ask], Step]:
    """One session.run for each token."""

    def make_step(ask: Ask) -> Step:
        random = np.random.default_rng(ask.seed)

        def step(token: int, state: Any) -> tuple[int, Any]:
            logits, state = graph(np.array([token]), state or graph.zero_state(1))
            scaled = logits[0] / ask.temperature
            weights = np.exp(scaled - scaled.max())
            cumulative = np.cumsum(weights / weights.sum())
            following = int(np.searchsorted(cumulative, random.random()))
            return min(following, len(cumulative) - 1), state

        return step

    return make_step


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=("torch", "onnxruntime", "async"), required=True)
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    manifest = read_manifest(options.artifact)
    artifact = Artifact(options.artifact, manifest)
    tokenizer = Tokenizer(
        options.artifact / manifest.tokenizer_file,
        artifact.read(manifest.tokenizer_file),
        manifest.vocabulary_size,
    )
    if options.way == "torch":
        make_step = torch_way(manifest)
    else:
        names = [tensor.name for tensor in manifest.state]
        make_step = onnxruntime_way(
            StepGraph(artifact.read(manifest.model_file), state_names=names)
        )
    create = create_async_app if options.way == "async" else create_app
    app = create(make_step, tokenizer)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
