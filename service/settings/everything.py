"""Everything that can be set."""

from __future__ import annotations

from service.settings.access import AccessSettings
from service.settings.address import AddressSettings
from service.settings.capsules import CapsuleSettings
from service.settings.connections import ConnectionSettings
from service.settings.constraints import ConstraintSettings
from service.settings.engine import EngineSettings
from service.settings.inspecting import InspectSettings
from service.settings.lifetime import LifetimeSettings
from service.settings.models import ModelSettings
from service.settings.observability import ObservabilitySettings
from service.settings.requests import RequestSettings
from service.settings.sessions import SessionSettings
from service.settings.web import WebSettings


# In the order of `--help`, last base first.
class Settings(
    ObservabilitySettings,
    LifetimeSettings,
    ConnectionSettings,
    SessionSettings,
    InspectSettings,
    RequestSettings,
    ConstraintSettings,
    EngineSettings,
    CapsuleSettings,
    ModelSettings,
    WebSettings,
    AccessSettings,
    AddressSettings,
):
    """Everything that can be set, with its default.

    Raises:
        pydantic.ValidationError: A value is not what the setting takes.
        UnknownSetting: An environment variable with our prefix is none of these.
    """
