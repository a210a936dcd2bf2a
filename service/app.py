"""The one place where the parts are put together."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from service import __version__
from service.access.keys import KeysInvalid
from service.access.source import KeySource
from service.api.access import Authenticate
from service.api.bodies import Bodies, ReadBody
from service.api.direct import Direct
from service.api.docs_page import SERVERS, add_docs_page
from service.api.errors import add_error_handlers, responses
from service.api.middleware import HeadAsGet, RequestLog
from service.api.native import metrics as metrics_route
from service.api.openapi_document import add_openapi_document
from service.api.origins import Cors, HostCheck, Prefix, SafeHeaders
from service.api.routers import ROUTERS
from service.api.state import ServiceState
from service.api.web_page import add_web_page
from service.artifacts.store import ModelStore
from service.engine.observer import Unobserved
from service.inference.inspecting import Inspecting
from service.inference.sequences import Sequences
from service.inference.start import Inference
from service.limits import engine_limits, inspect_limits, request_limits, session_limits
from service.models.errors import CannotServe
from service.models.live import LiveModels
from service.models.loader import ModelLoader
from service.models.loading import EngineSizes
from service.observability.current import TextsOfRequest, Tracer
from service.observability.metrics import Metrics
from service.patterns.compiler import PatternCompiler
from service.sessions.capsules.keys import KeysUnreadable, parse_keys
from service.sessions.errors import StoreTooNew
from service.sessions.places import is_redis, open_store, shown
from service.sessions.store import SessionStore
from service.settings import Settings, hosts_wanted


def create_app(settings: Settings, tracer: Tracer | None = None) -> FastAPI:
    """The application, with every model verified, loaded and warmed up.

    Args:
        settings: All of it.
        tracer: Makes traces; None: what the settings say does, if they say so.

    Raises:
        CannotServe: There is no model, none that is whole, or not the one that was named; or the
            sessions were written by a newer program.
    """
    keys = _keys(settings)
    tracer = tracer or _tracer(settings)
    metrics = Metrics(vllm_names=settings.metrics_vllm_names) if settings.metrics else None
    live = LiveModels.load(loader(settings, metrics), settings.older_version_idle_s)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        live.start()
        watches = [asyncio.ensure_future(live.tend(settings.reload_every_s))]
        if keys:
            watches.append(asyncio.ensure_future(keys.watch()))
        yield
        for watch in watches:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        await live.stop()
        await inference.sessions.close()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)

    app = FastAPI(
        title="lstm-serve",
        version=__version__,
        summary="Text from recurrent language models: streamed, batched, with sessions.",
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would need to know the scheme and host of the client
        # In place of FastAPI's own shape, which this server never sends.
        responses=responses(421, 422, 500),
        servers=SERVERS,
        root_path_in_servers=False,  # that one is relative
        openapi_url=None,  # FastAPI makes it on the event loop, and renders it for each request
        docs_url=None,  # FastAPI's pages load their scripts from the internet
        redoc_url=None,
        # Nothing of it leaves but by our own settings; nor does anything look for whom to tell.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    inference = Inference(
        live,
        _sessions(settings),
        request_limits(settings),
        *_capsules(settings),
        observer=TextsOfRequest(*([metrics] if metrics else [])),
        compiler=_compiler(settings),
    )
    inspecting = Inspecting(
        live, inference.accounts, request_limits(settings), inspect_limits(settings)
    )
    state = app.state.service = ServiceState(
        inference=inference,
        inspecting=inspecting,
        heartbeat_timeout_s=settings.heartbeat_timeout_s,
        hang_timeout_s=settings.hang_timeout_s,
        stream_keep_alive_s=settings.stream_keep_alive_s,
        bodies=Bodies(
            settings.max_body_bytes,
            settings.max_bodies_bytes,
            settings.body_timeout_s,
            inference.turnstile,
        ),
        sequences=Sequences(inference, settings.max_sessions),
        session_limits=session_limits(settings),
        keys=keys.ring if keys else None,
        metrics=metrics,
    )
    if metrics is not None:
        url = settings.session_store
        store = "redis" if is_redis(url) else url.partition(":")[0]
        metrics.watch(inference, store, lambda: state.draining)
        app.include_router(metrics_route.router)
    for router in ROUTERS:
        app.include_router(router)
    add_docs_page(app)
    page = add_web_page(app) if settings.web else frozenset[str]()
    add_error_handlers(app)
    add_openapi_document(
        app,
        needs_keys=keys is not None,
        max_tokens=settings.max_tokens,
        timeout_s=settings.max_timeout_s,
    )
    _add_middleware(app, settings, state, tracer, page)
    return app


def _add_middleware(
    app: FastAPI,
    settings: Settings,
    state: ServiceState,
    tracer: Tracer | None,
    page: frozenset[str],
) -> None:
    """What stands before the routes; the last one is the outermost."""
    routes = [route for router in ROUTERS for route in router.routes]
    app.add_middleware(Direct, routes=routes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ReadBody, bodies=state.bodies)
    if state.keys is not None:
        turnstile = state.inference.turnstile
        app.add_middleware(Authenticate, ring=state.keys, turnstile=turnstile, page=page)
    hosts = hosts_wanted(settings.allowed_hosts, settings.host)
    if hosts is None or "*" not in hosts:
        app.add_middleware(HostCheck, hosts=hosts, admit=state.bodies.admit)
    app.add_middleware(
        RequestLog, metrics=state.metrics, slow_s=settings.slow_request_s, tracer=tracer
    )
    app.add_middleware(SafeHeaders)
    if settings.cors_origins:  # around the log, so that pages can read what it answers, too
        app.add_middleware(Cors, origins=settings.cors_origins, admit=state.bodies.admit)
    if settings.root_path:
        app.add_middleware(Prefix, root_path=settings.root_path)


def _tracer(settings: Settings) -> Tracer | None:
    if not settings.otlp_endpoint:
        return None
    try:
        tracing = importlib.import_module("service.observability.tracing")
    except ImportError as error:
        raise CannotServe(
            f"--otlp-endpoint needs what `pip install 'lstm-serve[otel]'` installs: {error}"
        ) from error
    tracer: Tracer = tracing.Tracing.to(settings.otlp_endpoint)
    return tracer


def _compiler(settings: Settings) -> PatternCompiler | None:
    if not settings.constrained_output:
        return None
    if importlib.util.find_spec("outlines_core") is None:
        raise CannotServe(
            "--constrained-output needs what `pip install 'lstm-serve[constrained]'` installs"
        )
    return PatternCompiler(
        timeout_s=settings.pattern_timeout_s, max_entries=settings.pattern_cache_entries
    )


def _sessions(settings: Settings) -> SessionStore:
    try:
        return open_store(settings.session_store, session_limits(settings))
    except StoreTooNew as error:
        raise CannotServe(
            f"sessions cannot be kept in {shown(settings.session_store)}: {error}"
        ) from error


def _keys(settings: Settings) -> KeySource | None:
    if not settings.has_api_keys:
        return None
    try:
        return KeySource(settings.api_keys_text(), settings.api_keys_file)
    except KeysInvalid as error:
        raise CannotServe(str(error)) from None


def _capsules(settings: Settings) -> tuple[dict[str, bytes], float]:
    """The keys of capsules, and how long a capsule lasts."""
    try:
        keys = parse_keys(settings.capsule_key_text())
    except (OSError, UnicodeDecodeError) as error:
        # Not the error itself: that of bytes that are no text shows them.
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CannotServe(f"--capsule-keys-file {settings.capsule_keys_file}: {reason}") from None
    except KeysUnreadable as error:
        raise CannotServe(f"--capsule-keys or --capsule-keys-file: {error}") from None
    if keys:  # now, and not while the first capsule's client waits
        importlib.import_module("service.sessions.capsules.cipher")
    return keys, settings.capsule_ttl_s


def loader(settings: Settings, metrics: Metrics | None = None) -> ModelLoader:
    """What loads the models that the settings name.

    Args:
        settings: All of it.
        metrics: What counts their bursts and requests.
    """
    sizes = EngineSizes(
        max_rows=settings.max_rows,
        num_lanes=settings.num_lanes,
        num_threads=settings.num_threads,
        prefix_cache_bytes=settings.prefix_cache_bytes,
        limits=engine_limits(settings),
        constrains=settings.constrained_output,
        clamps=settings.max_clamps > 0,
        observer_of=metrics.engine if metrics else lambda _: Unobserved(),
    )
    store = ModelStore(settings.model_store)
    return ModelLoader(store, settings.models, settings.default_model, sizes)
