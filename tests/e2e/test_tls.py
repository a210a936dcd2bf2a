"""A server that speaks TLS."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.access.keys import entry_of
from tests.e2e.running_server import REPOSITORY, running_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def _certificate(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate that is its own authority, for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return cert_file, key_file


def _run(*words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    variables = {f"LSTM_SERVE_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *words],
        cwd=REPOSITORY,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_text_and_health_over_tls(store: Path, tmp_path: Path):
    """With a key; the health check asks in the same way, and a client in clear gets nothing."""
    cert_file, key_file = _certificate(tmp_path)
    files = {"tls_cert_file": cert_file, "tls_key_file": key_file}
    settings: dict[str, Any] = {
        **files,
        "api_keys": entry_of("a", "key"),
        "session_store": "memory://",
    }
    with running_server(store, tmp_path, verify=cert_file, **settings) as server:
        trusting = ssl.create_default_context(cafile=str(cert_file))
        url = server.url.replace("http://", "https://")
        headers = {"authorization": "Bearer key"}
        with httpx.Client(base_url=url, verify=trusting, timeout=30, trust_env=False) as client:
            assert 401 == client.get("/models").status_code
            assert 200 == client.get("/models", headers=headers).status_code
            body = {"prompt": "Hi", "max_tokens": 5, "stream": True}
            with client.stream("POST", "/generate", json=body, headers=headers) as response:
                events = [line for line in response.iter_lines() if line.startswith("data: ")]
            assert '"finish_reason":"length"' in events[-1]
            broken = client.get("/models", headers={"x": "y" * 100_000})
            assert (431, "head_too_large") == (broken.status_code, broken.json()["error"]["code"])
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.url}/health/live", timeout=30, trust_env=False)

        asked = ["healthcheck", "--port", str(server.port)]
        encrypted, clear = _run(*asked, **files), _run(*asked)
        assert (0, "") == (encrypted.returncode, encrypted.stderr)
        assert '"status":"ok"' in encrypted.stdout
        assert 1 == clear.returncode
        greeting = server.log.read_text(encoding="utf-8")
        assert f"https://127.0.0.1:{server.port}/\n" in greeting
        assert "authorization: Bearer KEY" in greeting


@pytest.mark.parametrize("fault", ["missing", "swapped", "encrypted", "empty"])
def test_files_that_are_none_stop_the_start(store: Path, tmp_path: Path, fault: str):
    """With one line, and without asking for a password."""
    cert_file, key_file = _certificate(tmp_path, b"secret" if fault == "encrypted" else None)
    if fault == "missing":
        key_file.unlink()
    elif fault == "swapped":
        cert_file, key_file = key_file, cert_file
    elif fault == "empty":
        cert_file.write_bytes(b"")
    done = _run(
        "serve",
        port=0,
        model_store=store,
        tls_cert_file=cert_file,
        tls_key_file=key_file,
    )

    assert (1, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
    assert "--tls-key-file" in done.stderr
