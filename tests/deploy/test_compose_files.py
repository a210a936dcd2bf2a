"""docker-compose.scale.yml beside docker-compose.yml and the server's settings, without Docker."""

from __future__ import annotations

import re
from typing import Any

import yaml

from service.settings import ENV_PREFIX, Settings
from tests.deploy.proxies import DEPLOY


def _services(name: str) -> dict[str, Any]:
    text = (DEPLOY.parent / name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


SCALED = _services("docker-compose.scale.yml")


def test_a_replica_is_what_serves_alone():
    """But for where its sessions are and who reaches it."""
    alone, replica = _services("docker-compose.yml")["serve"], dict(SCALED["replica"])
    differ = {"environment", "volumes", "tmpfs", "ports", "networks", "depends_on", "scale"}

    assert {key: alone[key] for key in alone.keys() - differ} == {
        key: replica[key] for key in replica.keys() - differ
    }
    assert alone["environment"].items() <= replica["environment"].items()
    assert set(alone["tmpfs"]) <= set(replica["tmpfs"])
    assert replica["volumes"] == [each for each in alone["volumes"] if ":ro" in each]


def test_every_service_is_confined():
    """None may gain rights, write to its image, or take all memory."""
    for service in SCALED.values():
        assert ["ALL"] == service["cap_drop"]
        assert ["no-new-privileges:true"] == service["security_opt"]
        assert service["read_only"]
        assert "mem_limit" in service
        assert re.fullmatch(r"(\$\{RUN_AS:-)?[1-9]\d*:[1-9]\d*\}?", service["user"])
        assert "healthcheck" in service
        assert "unless-stopped" == service["restart"]


def test_settings_exist_and_the_end_has_time():
    """Docker waits longer than a replica, and the gateway longer than both."""
    environment = SCALED["replica"]["environment"]
    values = {
        name.removeprefix(ENV_PREFIX).lower(): re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
        for name, value in environment.items()
    }
    assert set(values) <= set(Settings.model_fields)
    patience_s = {
        name: float(service["stop_grace_period"].removesuffix("s"))
        for name, service in SCALED.items()
    }

    assert float(values["grace_period_s"]) + 5 < patience_s["replica"] < patience_s["gateway"]
