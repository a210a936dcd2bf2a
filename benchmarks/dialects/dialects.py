"""Each dialect: how a text is asked for, where it stands in the answer, and what its errors are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.abuse.sightings import has_the_shape
from service.api.kserve.tensors import HEADER_LENGTH, data_of, elements

MODEL, CHAT_MODEL = "shakespeare", "talker"
"""Of the store; the second has the weights of the first, and a chat template."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What is asked for, whatever the dialect."""

    prompt: str
    seed: int
    max_tokens: int


@dataclass(frozen=True)
class Dialect:
    """A way to ask.

    Attributes:
        name: For the table.
        path: Of its requests.
        body: What is sent; the second argument says whether as a stream.
        whole: The text of a whole answer.
        piece: The text of an event; None: it has no stream.
        has_shape: Whether an error is as the dialect has them.
        stream_path: Of streams, if it is another one.
        headers: Of a body, beside those of JSON.
    """

    name: str
    path: str
    body: Callable[[Asked, bool], Json | bytes]
    whole: Callable[[bytes], str]
    piece: Callable[[Json], str] | None
    has_shape: Callable[[bytes], bool]
    stream_path: str | None = None
    headers: Callable[[bytes], Mapping[str, str]] = field(default=lambda _: {})


def is_openai_error(body: bytes) -> bool:
    """Is it `{"error": {"message", "type", "param", "code"}}`?"""
    error = _error(body)
    return isinstance(error, dict) and set(error) == {"message", "type", "param", "code"}


def is_kserve_error(body: bytes) -> bool:
    """Is it `{"error": "..."}`?"""
    return isinstance(_error(body), str)


def is_native_error(body: bytes) -> bool:
    """Is it `{"error": {"code", "message", "param"}}`? Events have more beside that."""
    return has_the_shape(body, may_have_more=True)


def _error(body: bytes) -> object:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content.get("error") if isinstance(content, dict) and set(content) == {"error"} else None


def _native(asked: Asked, stream: bool) -> Json:
    return {**vars(asked), "model": MODEL, "temperature": 0.8, "stream": stream}


def _completion(asked: Asked, stream: bool) -> Json:
    return {**_native(asked, stream), "top_p": 0.9}


def _chat(asked: Asked, stream: bool) -> Json:
    body = {**_completion(asked, stream), "model": CHAT_MODEL}
    messages = [{"role": "user", "content": body.pop("prompt")}]
    return {**body, "messages": messages}


def _generate(asked: Asked, _: bool) -> Json:
    parameters = {"seed": asked.seed, "max_tokens": asked.max_tokens, "temperature": 0.8}
    return {"text_input": asked.prompt, "parameters": parameters}


def _tensor(asked: Asked) -> Json:
    parameters = _generate(asked, False)["parameters"]
    tensor = {"name": "text_input", "datatype": "BYTES", "shape": [2]}
    return {"inputs": [tensor], "parameters": parameters}


def _texts(asked: Asked) -> list[str]:
    return [asked.prompt, f"{asked.prompt}\n"]


def _infer(asked: Asked, _: bool) -> Json:
    body = _tensor(asked)
    body["inputs"][0]["data"] = _texts(asked)
    return body


def _binary_infer(asked: Asked, _: bool) -> bytes:
    body, data = _tensor(asked), data_of(_texts(asked))
    body["inputs"][0]["parameters"] = {"binary_data_size": len(data)}
    body["parameters"]["binary_data_output"] = True
    return json.dumps(body).encode() + data


def _binary_headers(body: bytes) -> Mapping[str, str]:
    size = json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
    return {HEADER_LENGTH: str(size)}


def _binary_texts(body: bytes) -> str:
    size = json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
    return json.dumps(elements(body[size:]))


def _score(asked: Asked, _: bool) -> Json:
    return {"model": MODEL, "texts": [*_texts(asked), asked.prompt * 3]}


def _choice(field_name: str) -> Callable[[Json], Json]:
    def of(content: Json) -> Json:
        [choice] = content["choices"]
        found: Json = choice[field_name] if field_name else choice
        return found

    return of


def _whole_message(body: bytes) -> str:
    return str(_choice("message")(json.loads(body))["content"])


def _path(verb: str) -> str:
    return f"/v2/models/{MODEL}/{verb}"


DIALECTS = (
    Dialect(
        "native",
        "/generate",
        _native,
        lambda body: str(json.loads(body)["text"]),
        lambda event: str(event["text"]),
        is_native_error,
    ),
    Dialect(
        "completions",
        "/v1/completions",
        _completion,
        lambda body: str(_choice("")(json.loads(body))["text"]),
        lambda event: str(_choice("")(event)["text"]),
        is_openai_error,
    ),
    Dialect(
        "chat",
        "/v1/chat/completions",
        _chat,
        _whole_message,
        lambda event: str(_choice("delta")(event).get("content") or ""),
        is_openai_error,
    ),
    Dialect(
        "kserve generate",
        _path("generate"),
        _generate,
        lambda body: str(json.loads(body)["text_output"]),
        lambda event: str(event["text_output"]),
        is_kserve_error,
        stream_path=_path("generate_stream"),
    ),
    Dialect(
        "kserve infer",
        _path("infer"),
        _infer,
        lambda body: json.dumps(json.loads(body)["outputs"][0]["data"]),
        None,
        is_kserve_error,
    ),
    Dialect(
        "kserve infer, binary",
        _path("infer"),
        _binary_infer,
        _binary_texts,
        None,
        is_kserve_error,
        headers=_binary_headers,
    ),
    Dialect(
        "score",
        "/score",
        _score,
        lambda body: json.dumps(json.loads(body)["scores"]),
        None,
        is_native_error,
    ),
)
