"""Who is let in, and what the server looks like from outside."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.settings.names import ENV_PREFIX

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_Names = Annotated[tuple[str, ...], NoDecode]


class TlsSettings(BaseSettings):
    """Whether connections are encrypted."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    tls_cert_file: Path | None = Field(
        None, description="Certificate and its chain, in PEM; with it the server speaks TLS only."
    )
    tls_key_file: Path | None = Field(
        None,
        description="The certificate's key, in PEM, not encrypted.",
        validate_default=True,
    )

    @field_validator("tls_key_file")
    @classmethod
    def _go_together(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_cert_file" in info.data and (info.data["tls_cert_file"] is None) != (file is None):
            raise ValueError("tls_cert_file and tls_key_file are needed together")
        return file


class AccessSettings(TlsSettings):
    """Who is let in."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    api_keys: SecretStr | None = Field(
        None,
        description="API keys, `NAME:SHA256[:OPTION...]` by commas; with one set, every route but "
        "health needs one. `lstm-serve key new NAME` makes them.",
    )
    api_keys_file: Path | None = Field(
        None, description="A file of more of them, which is read again whenever it has changed."
    )
    cors_origins: _Names = Field(
        (), description="Origins whose web pages may use the server, by commas; `*` for all."
    )
    allowed_hosts: _Names = Field(
        (),
        description="Names that the server is asked for by, by commas; `*.example.org` is all "
        "below it, `*` any. If empty: names without a dot where it listens on this machine only, "
        "else any.",
    )
    root_path: str = Field(
        "", description="Path below which a proxy shows the server, like `/text`."
    )

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is like https://example.org:8443, without a path")
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if host != "*" and not _HOST.fullmatch(host):
                raise ValueError("a host is like example.org or *.example.org, without a port")
        return hosts

    @field_validator("root_path")
    @classmethod
    def _is_prefix(cls, path: str) -> str:
        path = path.rstrip("/")
        if not _PREFIX.fullmatch(path):
            raise ValueError("a path is like /text or /a/b")
        return path

    @property
    def has_api_keys(self) -> bool:
        """Whether keys are checked."""
        return self.api_keys is not None or self.api_keys_file is not None

    def api_keys_text(self) -> str:
        """The keys that are not in the file."""
        return self.api_keys.get_secret_value() if self.api_keys else ""


def hosts_wanted(allowed: tuple[str, ...], listens_on: str) -> tuple[str, ...] | None:
    """Names that a request may be for; None: local ones, `("*",)`: any."""
    if allowed:
        return ("*",) if "*" in allowed else allowed
    return None if _is_loopback(listens_on) else ("*",)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
