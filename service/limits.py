"""What the settings say of how much there may be, for the rooms that keep to it."""

from __future__ import annotations

from service.engine.limits import EngineLimits
from service.inference.inspecting import InspectLimits
from service.inference.request import RequestLimits
from service.sessions.policy import SessionLimits
from service.settings import Settings

_EVENT_S = 0.0003
"""What an event costs the event loop: see `BurstLength`."""


def engine_limits(settings: Settings) -> EngineLimits:
    """What bounds an engine that is alone."""
    return EngineLimits(
        max_waiting_requests=settings.max_waiting_requests,
        max_waiting_tokens=settings.max_waiting_tokens,
        max_unread_tokens=settings.max_unread_tokens,
        target_burst_s=settings.target_burst_ms / 1000,
        max_burst_steps=settings.max_burst_steps,
        event_s=_EVENT_S,
    )


def session_limits(settings: Settings) -> SessionLimits:
    """What bounds the sessions."""
    return SessionLimits(
        idle_ttl_s=settings.session_idle_ttl_s,
        max_age_s=settings.session_max_age_s,
        max_sessions=settings.max_sessions,
        max_bytes=settings.max_session_bytes,
        max_owner_sessions=settings.max_owner_sessions,
        checkpoint_every=settings.checkpoint_every,
    )


def inspect_limits(settings: Settings) -> InspectLimits:
    """What bounds a look inside of a model."""
    return InspectLimits(
        max_tokens=settings.max_inspect_tokens,
        max_values=settings.max_inspect_values,
        max_waiting_characters=settings.max_waiting_inspect_characters,
    )


def request_limits(settings: Settings) -> RequestLimits:
    """What bounds a request."""
    return RequestLimits(
        default_max_tokens=settings.default_max_tokens,
        max_tokens=settings.max_tokens,
        max_texts=settings.max_texts,
        max_clamps=settings.max_clamps,
        max_prompt_tokens=settings.max_prompt_tokens,
        max_waiting_characters=settings.max_waiting_characters,
        max_result_bytes=settings.max_result_bytes,
        max_timeout_s=settings.max_timeout_s,
        keep_session_texts=settings.keep_session_texts,
        checkpoint_every=settings.checkpoint_every,
    )
