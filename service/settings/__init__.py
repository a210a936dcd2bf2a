"""Settings, from the environment (`LSTM_SERVE_*`) or the command line; loud when wrong."""

from service.settings.access import TlsSettings, hosts_wanted
from service.settings.address import AddressSettings
from service.settings.capsules import CapsuleSettings
from service.settings.environment import (
    UnknownSetting,
    forget_service_links,
    refuse_unknown_environment,
)
from service.settings.everything import Settings
from service.settings.models import StoreSettings
from service.settings.names import ENV_PREFIX

__all__ = [
    "ENV_PREFIX",
    "AddressSettings",
    "CapsuleSettings",
    "Settings",
    "StoreSettings",
    "TlsSettings",
    "UnknownSetting",
    "forget_service_links",
    "hosts_wanted",
    "refuse_unknown_environment",
]
