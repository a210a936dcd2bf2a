"""The certificate that connections are encrypted with, looked at before anything else is done."""

from __future__ import annotations

import ssl
from pathlib import Path

from service.server.listening import CannotListen


def certificate(cert_file: Path | None, key_file: Path | None) -> dict[str, str]:
    """What uvicorn is told of them; nothing without them.

    Raises:
        CannotListen: They are not there, are none, do not belong together, or need a password.
    """
    if cert_file is None or key_file is None:
        return {}
    for option, file in (("--tls-cert-file", cert_file), ("--tls-key-file", key_file)):
        try:
            file.read_bytes()
        except OSError as error:
            raise CannotListen(f"{option} {file}: {error.strerror}") from error
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file, lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise CannotListen(
            f"--tls-cert-file {cert_file}, --tls-key-file {key_file}: they are not a certificate "
            f"and its key in PEM, not encrypted ({error})"
        ) from error
    return {"ssl_certfile": str(cert_file), "ssl_keyfile": str(key_file)}
