"""What the environment says beside settings."""

from __future__ import annotations

import os
import re

from service.settings.everything import Settings
from service.settings.names import ENV_PREFIX

_LINK = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+")
_LINK_NAME = re.compile(
    ENV_PREFIX + r"(\w+_)??(?:PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)?"
    r"|SERVICE_HOST|SERVICE_PORT(?:_\w+)?)"
)


class UnknownSetting(ValueError):
    """The environment names a setting that does not exist."""


def forget_service_links() -> list[str]:
    """Take out of the environment what Kubernetes puts there for services called lstm-serve-....

    Such variables have our prefix: https://kubernetes.io/docs/concepts/services-networking/service/

    Returns:
        Their names; of a service of which none holds an address, none, since each has one. What is
        set for the server itself stays.
    """
    settings = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    services: dict[str, list[str]] = {}
    for name, value in os.environ.items():
        found = _LINK_NAME.fullmatch(name)
        if found and (name not in settings or _LINK.fullmatch(value)):
            services.setdefault(found[1] or "", []).append(name)
    links = sorted(
        name
        for names in services.values()
        if any(_LINK.fullmatch(os.environ[each]) for each in names)
        for name in names
    )
    for name in links:
        del os.environ[name]
    return links


def refuse_unknown_environment() -> None:
    """Raise UnknownSetting if the environment has a variable with our prefix that is no setting."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            raise UnknownSetting(f"{name} is not a setting; see lstm-serve serve --help")
