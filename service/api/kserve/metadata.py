"""GET /v2...: the server, its health and its models, as the Open Inference Protocol has them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from service import __version__
from service.api.json_bytes import Json
from service.api.kserve.answers import kserve_responses, model_of
from service.api.native import health
from service.api.state import ServiceState, State
from service.models.registry import ServedModel

router = APIRouter(prefix="/v2", tags=["kserve"])
_EXTENSIONS = ("sequence", "sequence(string_id)", "generate", "binary_tensor_data")
_ANSWERS = kserve_responses(404, 422, 500, 503)


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: tuple[str, ...]


class Tensor(BaseModel):
    """What goes into a model, or comes out of it."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(BaseModel):
    """A model: the texts that `infer` and `generate` take and give; -1 is any number of them."""

    model_config = ConfigDict(protected_namespaces=())

    name: str
    versions: list[str]
    platform: str = "onnx_onnxv1"
    inputs: list[Tensor]
    outputs: list[Tensor]


class Liveness(BaseModel):
    """Whether the server lives."""

    live: bool


class Readiness(BaseModel):
    """Whether the server can take requests; the status says the same."""

    ready: bool


class ModelReadiness(BaseModel):
    """Whether a model can take requests."""

    name: str
    ready: bool


@router.get("", summary="Look at the server (KServe)", responses=kserve_responses(422, 500))
async def server_metadata() -> ServerMetadata:
    """Its name, version, and what of the protocol's extensions it knows."""
    return ServerMetadata(name="lstm-serve", version=__version__, extensions=_EXTENSIONS)


@router.get(
    "/health/live",
    summary="Is the process alive? (KServe)",
    response_model=Liveness,
    responses=kserve_responses(422, 500, 503),
)
async def live(state: State) -> Json:
    """As `/health/live`."""
    failure = state.engine_failure()
    return Json({"live": False, "error": failure}, 503) if failure else Json({"live": True})


@router.get(
    "/health/ready",
    summary="Can it take requests? (KServe)",
    response_model=Readiness,
    responses=kserve_responses(422, 500, 503),
)
async def ready(state: State) -> Json:
    """As `/health/ready`, which says more."""
    report = await health.ready(state)
    if report.status_code == 200:
        return Json({"ready": True})
    return Json({"ready": False, "error": "the server is not ready: see /health/ready"}, 503)


@router.get("/models/{model}", summary="Look at a model (KServe)", responses=_ANSWERS)
async def model_metadata(model: str, state: State) -> ModelMetadata:
    """The newest version that is served."""
    return _metadata(state, model_of(state.inference.models, model))


@router.get(
    "/models/{model}/versions/{version}", summary="Look at a version (KServe)", responses=_ANSWERS
)
async def version_metadata(model: str, version: str, state: State) -> ModelMetadata:
    """One version."""
    return _metadata(state, model_of(state.inference.models, model, version))


@router.get(
    "/models/{model}/ready",
    summary="Is a model ready? (KServe)",
    response_model=ModelReadiness,
    responses=_ANSWERS,
)
async def model_ready(model: str, state: State) -> Json:
    """503 if its engine is dead or silent."""
    return _readiness(state, model_of(state.inference.models, model))


@router.get(
    "/models/{model}/versions/{version}/ready",
    summary="Is a version ready? (KServe)",
    response_model=ModelReadiness,
    responses=_ANSWERS,
)
async def version_ready(model: str, version: str, state: State) -> Json:
    """503 if its engine is dead or silent."""
    return _readiness(state, model_of(state.inference.models, model, version))


def _metadata(state: ServiceState, model: ServedModel) -> ModelMetadata:
    name = model.manifest.name
    versions = sorted(
        each.manifest.version for each in state.inference.models if each.manifest.name == name
    )
    return ModelMetadata(
        name=name,
        versions=[str(version) for version in versions],
        inputs=[Tensor(name="text_input", datatype="BYTES", shape=(-1,))],
        outputs=[Tensor(name="text_output", datatype="BYTES", shape=(-1,))],
    )


def _readiness(state: ServiceState, model: ServedModel) -> Json:
    status, name = model.engine.status, model.manifest.name
    if state.draining:
        return Json({"name": name, "ready": False, "error": "the server is shutting down"}, 503)
    if not status.alive or status.heartbeat_age_s > state.heartbeat_timeout_s:
        fault = f"the engine of {model.ref} is dead or silent"
        return Json({"name": name, "ready": False, "error": fault}, 503)
    return Json({"name": name, "ready": True})
