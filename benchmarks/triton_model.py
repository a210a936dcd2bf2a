"""A decoupled model of Triton's Python backend: `model.py` of what `triton_server` makes.

Triton's own process runs it, in the environment that has `nvidia-pytriton`; it imports nothing of
this project. As in the other peer, the prompt is read in one go, and as many threads as there are
cores run the int8 graph, once for each token: a thread takes the text that waits longest, writes a
token of it, sends it, and puts the text behind all others. A text whose client has left ends.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class _Text:
    """A text that is being written.

    Args:
        sender: Sends its tokens.
        prompt_ids: Of the prompt.
        state: Of the model before the prompt.
        max_tokens, temperature, seed: As asked.
    """

    def __init__(
        self,
        sender: Any,
        prompt_ids: list[int],
        state: dict[str, Any],
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> None:
        self.sender = sender
        self.unread = prompt_ids
        self.state = state
        self.num_left = max_tokens
        self.temperature = temperature
        self.random = np.random.default_rng(seed)


class TritonPythonModel:
    """The name by which Triton finds it."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph."""
        parameters = json.loads(args["model_config"])["parameters"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            parameters["graph"]["string_value"], options, providers=["CPUExecutionProvider"]
        )
        alphabet = Path(parameters["alphabet"]["string_value"]).read_text(encoding="utf-8")
        self._alphabet = json.loads(alphabet)
        self._ids = {text: n for n, text in enumerate(self._alphabet)}
        self._widths = {
            value.name.removeprefix("state."): value.shape[1]
            for value in self._session.get_inputs()
            if value.name.startswith("state.")
        }
        self._outputs = ["logits", *(f"next_state.{name}" for name in self._widths)]
        self._texts: queue.SimpleQueue[_Text] = queue.SimpleQueue()
        for _ in range(os.cpu_count() or 1):
            threading.Thread(target=self._write, daemon=True).start()

    def execute(self, requests: list[Any]) -> None:
        """Begin texts; their tokens are sent by and by."""
        for request in requests:
            asked = {
                name: triton.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)[0]
                for name in ("prompt", "max_tokens", "temperature", "seed")
            }
            text = _Text(
                request.get_response_sender(),
                [self._ids.get(character, 0) for character in asked["prompt"].decode("utf-8")],
                {name: np.zeros((1, width), np.float32) for name, width in self._widths.items()},
                int(asked["max_tokens"]),
                float(asked["temperature"]),
                int(asked["seed"]),
            )
            self._texts.put(text)

    def _write(self) -> None:
        while True:
            text = self._texts.get()
            token = self._next_token(text)
            text.unread, text.num_left = [token], text.num_left - 1
            is_last = not text.num_left or text.sender.is_cancelled()
            outputs = [
                triton.Tensor("text", np.array([self._alphabet[token].encode()], np.object_)),
                triton.Tensor("num_tokens", np.array([1], np.int32)),
            ]
            flags = triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL if is_last else 0
            text.sender.send(triton.InferenceResponse(outputs), flags)
            if not is_last:
                self._texts.put(text)

    def _next_token(self, text: _Text) -> int:
        logits_V: Any = None
        for token in text.unread:
            feed = {f"state.{name}": value for name, value in text.state.items()}
            feed["token"] = np.array([token])
            logits_1V, *after = self._session.run(self._outputs, feed)
            text.state = dict(zip(text.state, after, strict=True))
            logits_V = logits_1V[0]
        scaled_V = logits_V / text.temperature
        cumulative_V = np.cumsum(np.exp(scaled_V - scaled_V.max()))
        drawn = int(np.searchsorted(cumulative_V, text.random.random() * cumulative_V[-1]))
        return min(drawn, len(cumulative_V) - 1)
