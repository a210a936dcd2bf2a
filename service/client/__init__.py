"""A typed client of lstm-serve, on httpx: `Client`, and the same with `await`, `AsyncClient`.

It imports nothing of the server, and its own modules by relative names: the same files are also
the package `lstm_serve_client`, which installs without the server (`pyproject.toml` beside this).
"""

from .asynchronous import AsyncClient
from .asynchronous_sessions import AsyncSession
from .asynchronous_streams import AsyncStream
from .errors import (
    ApiError,
    CapsuleError,
    ClientError,
    ConnectionFailed,
    IdempotencyKeyTaken,
    InvalidRequest,
    ModelBroken,
    ModelNotFound,
    NotFound,
    Overloaded,
    PlaceGone,
    ServerFailed,
    SessionBusy,
    SessionChanged,
    SessionError,
    SessionGone,
    SessionNotFound,
    SessionsUnavailable,
    SessionUnusable,
    ShuttingDown,
    StreamBroken,
    TextsNotKept,
    TimedOut,
    Unauthorized,
)
from .options import SamplingKeywords, TextKeywords, WritingKeywords
from .retrying import Retries
from .synchronous import Client
from .synchronous_sessions import Session
from .synchronous_streams import Stream
from .values import (
    Appended,
    Branch,
    Candidate,
    Diff,
    EngineReport,
    Event,
    Generation,
    Health,
    Model,
    Models,
    SessionInfo,
    Several,
    SeveralText,
    TokenLogprob,
    Turn,
    Usage,
)
from .version import __version__

__all__ = [
    "ApiError",
    "Appended",
    "AsyncClient",
    "AsyncSession",
    "AsyncStream",
    "Branch",
    "Candidate",
    "CapsuleError",
    "Client",
    "ClientError",
    "ConnectionFailed",
    "Diff",
    "EngineReport",
    "Event",
    "Generation",
    "Health",
    "IdempotencyKeyTaken",
    "InvalidRequest",
    "Model",
    "ModelBroken",
    "ModelNotFound",
    "Models",
    "NotFound",
    "Overloaded",
    "PlaceGone",
    "Retries",
    "SamplingKeywords",
    "ServerFailed",
    "Session",
    "SessionBusy",
    "SessionChanged",
    "SessionError",
    "SessionGone",
    "SessionInfo",
    "SessionNotFound",
    "SessionUnusable",
    "SessionsUnavailable",
    "Several",
    "SeveralText",
    "ShuttingDown",
    "Stream",
    "StreamBroken",
    "TextKeywords",
    "TextsNotKept",
    "TimedOut",
    "TokenLogprob",
    "Turn",
    "Unauthorized",
    "Usage",
    "WritingKeywords",
    "__version__",
]
