"""Every route, dialect by dialect, in the order of the documentation."""

from __future__ import annotations

from service.api.kserve import generate as inference_protocol
from service.api.kserve import infer as protocol_tensors
from service.api.kserve import metadata as protocol_metadata
from service.api.native import (
    admin,
    append,
    capacity,
    capsules,
    generate,
    health,
    inspection,
    models,
    score,
    session_work,
    sessions,
    tokens,
)
from service.api.openai import chat, completions
from service.api.openai import models as openai_models

ROUTERS = (
    generate.router,
    score.router,
    tokens.router,
    inspection.router,
    capsules.router,
    sessions.router,
    session_work.router,
    append.router,
    models.router,
    capacity.router,
    admin.router,
    health.router,
    completions.router,
    chat.router,
    openai_models.router,
    inference_protocol.router,
    protocol_tensors.router,
    protocol_metadata.router,
)
