"""`lstm-serve serve`: the server, from its settings to its end."""

from __future__ import annotations

import gc
import json
import logging
import shlex
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from service import __version__
from service.commands.healthcheck import reachable
from service.observability import logs
from service.observability.streams import CannotSay, complain, say
from service.settings import Settings

if TYPE_CHECKING:
    from service.models.registry import ModelRegistry

_log = logging.getLogger(__name__)


class Serve(Settings):
    """Serve the models of the store until SIGTERM or Ctrl-C."""


def serve(settings: Settings) -> int:
    """Serve the models of the store until SIGTERM or Ctrl-C."""
    # Here and not above: a healthcheck every few seconds should not import a server.
    from service.models.errors import CannotServe
    from service.server.listening import CannotListen, bound

    logs.configure(settings.log_format, settings.log_level)
    # The engine lets go of the interpreter's lock in each run of the graph. After Python's default
    # of 5 ms until a busy event loop gives it back, it would wait longer than it computes.
    sys.setswitchinterval(0.0005)
    try:
        # First of all: a port that is taken is known before models are loaded for seconds.
        with bound(settings.host, settings.port) as sockets:
            return _serve(settings, sockets)
    except (CannotListen, CannotServe) as error:
        complain(str(error))
        return 1


def _serve(settings: Settings, sockets: list[socket.socket]) -> int:
    # What is imported stays until the end: looking for garbage in it takes a tenth of the start.
    gc.disable()
    import uvicorn

    from service.app import create_app
    from service.server.connection import Connection
    from service.server.connections import Connections
    from service.server.descriptors import connections_within_limit
    from service.server.listening import listen, port_of
    from service.server.serving import Server
    from service.server.targets import probes_below
    from service.server.tls import certificate

    gc.freeze()
    gc.enable()
    encryption = certificate(settings.tls_cert_file, settings.tls_key_file)
    app = create_app(settings)
    listen(sockets)
    port = port_of(sockets)
    connections = Connections(connections_within_limit(settings.max_connections))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        http=partial(  # type: ignore[arg-type] # uvicorn only calls it
            Connection,
            connections=connections,
            probes=probes_below(settings.root_path),
            write_timeout_s=settings.write_timeout_s,
        ),
        ws="none",
        log_config=None,
        workers=1,  # or uvicorn reads WEB_CONCURRENCY, which is for servers of processes
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type] # a delay like any other
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        **encryption,  # type: ignore[arg-type] # two paths
    )
    state = app.state.service

    def on_started() -> None:
        # What is there now stays: looking through it for garbage would hold up the event loop for
        # 100 ms, once many connections have come.
        gc.collect()
        gc.freeze()
        _greet(settings, port, state.inference.models)

    server = Server(
        config,
        state,
        connections,
        grace_period_s=settings.grace_period_s,
        on_started=on_started,
    )
    server.run(sockets=sockets)
    return 0 if server.started and not server.has_failed else 1


def _greet(settings: Settings, port: int, models: ModelRegistry) -> None:
    """Tell a person at a terminal what to do next."""
    from service.models.example import example_prompt

    scheme = "http" if settings.tls_cert_file is None else "https"
    url = f"{scheme}://{reachable(settings.host)}:{port}"
    key = "-H 'authorization: Bearer KEY' " if settings.has_api_keys else ""
    model = models.default or next(iter(models))
    example: dict[str, Any] = {
        "prompt": example_prompt(model.manifest, model.tokenizer),
        "max_tokens": 200,
        "seed": 7,
        "stream": True,
    }
    if models.default is None:
        example["model"] = model.ref
    body = json.dumps(example, ensure_ascii=False, separators=(",", ":"))
    try:
        say(
            f"lstm-serve {__version__}: {', '.join(model.ref for model in models)}\n"
            f"  {url}{'/' if settings.web else '/docs'}\n"
            f"  curl -N {url}/generate {key}-H 'content-type: application/json' "
            f"-d {shlex.quote(body)}\n"
        )
    except CannotSay as error:
        _log.info("listening on %s; %s", url, error)
