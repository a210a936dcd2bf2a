"""Before anything is measured: is this server one of ours, and does it take such requests?"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from service.commands.reaching import Refused
from service.load.target import Target
from service.load.workload import Workload

_TIMEOUT_S = 30
_MOST_TOKENS = 20_000
"""Of a vocabulary, so that the request for its characters stays small."""
_NO_CHARACTER = "\ufffd"


@dataclass(frozen=True)
class Seen:
    """What was found.

    Attributes:
        model: `name@version`.
        alphabet: Characters that the model knows.
    """

    model: str
    alphabet: str


def look_at(url: str, target: Target, workload: Workload, prompt: str | None) -> Seen:
    """Ask for the model, for its characters and for a first answer.

    Raises:
        Refused: There is no such server, no such model, or it takes no such request.
    """
    headers = {} if target.api_key is None else {"authorization": f"Bearer {target.api_key}"}
    verify = target.tls if isinstance(target.tls, ssl.SSLContext) else True
    # As the sockets do that measure: no proxy, and the same certificates.
    with httpx.Client(
        base_url=url, headers=headers, verify=verify, trust_env=False, timeout=_TIMEOUT_S
    ) as client:
        try:
            manifest = _manifest(client, url, workload.model)
            alphabet = _alphabet(client, manifest)
            _try(client, workload, prompt if prompt is not None else alphabet[:1])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refused(f"no answer from {url}: {error or type(error).__name__}") from error
    return Seen(f"{manifest['name']}@{manifest['version']}", alphabet)


def _manifest(client: httpx.Client, url: str, name: str | None) -> dict[str, Any]:
    listed = _answer(client.get("models"), url)
    models = listed.get("models")
    if not isinstance(models, list) or "broken" not in listed:
        raise Refused(f"{url} is no lstm-serve: GET /models is not a list of its models")
    if name is None:
        name = next((model["id"] for model in models if model["default"]), None)
    if name is None:
        raise Refused(f"{url} has no default model: say --model")
    return _answer(client.get(f"models/{quote(name, safe='@')}"), url)


def _alphabet(client: httpx.Client, manifest: dict[str, Any]) -> str:
    special = set(manifest["special_ids"].values())
    size = min(manifest["vocabulary_size"], _MOST_TOKENS)
    tokens = [token for token in range(size) if token not in special]
    asked = {"model": f"{manifest['name']}@{manifest['version']}", "tokens": tokens}
    text = _answer(client.post("detokenize", json=asked), str(client.base_url))["prompt"]
    return "".join(sorted(set(text) - {_NO_CHARACTER}))


def _try(client: httpx.Client, workload: Workload, prompt: str) -> None:
    """Begin one answer, and leave it."""
    body = workload.body(prompt, seed=0) | {"stream": True}
    with client.stream("POST", "generate", json=body) as response:
        if response.status_code not in (200, 429):  # refusals are part of what is measured
            response.read()
            _answer(response, str(client.base_url))


def _answer(response: httpx.Response, url: str) -> dict[str, Any]:
    """The object that a server of ours answers with."""
    try:
        answer = response.json()
        if response.status_code == 200 and isinstance(answer, dict):
            return answer
        error = answer["error"]
        reason = f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        what = f"{response.request.method} {response.url.path} gets {response.status_code}"
        raise Refused(f"{url} is no lstm-serve: {what}") from None
    raise Refused(f"{url}: {reason}")
