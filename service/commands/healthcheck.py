"""`lstm-serve healthcheck`: asks the server on this machine; imports no server."""

from __future__ import annotations

import ssl

from service.observability.streams import CannotSay, complain, say
from service.settings import AddressSettings, TlsSettings

_SHOWN = 1000
"""Characters of an answer that is no health report."""


class Healthcheck(TlsSettings, AddressSettings):
    """Ask the server on this machine whether it is ready."""


def healthcheck(host: str, port: int, *, is_encrypted: bool = False) -> int:
    """Ask the server on this machine whether it is ready."""
    # Here and not above: `serve` reads this file for its addresses.
    import httpx

    scheme = "https" if is_encrypted else "http"
    url = f"{scheme}://{reachable(host)}:{port}/health/ready"
    # Nothing of the environment counts: there is no proxy, and no certificate. The server's own is
    # for another name than this machine's; nothing is told that anybody might want to hear.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = httpx.HTTPTransport(verify=context)
        with httpx.Client(transport=plain, trust_env=False, timeout=2) as client:
            response = client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        complain(f"no answer: {error or type(error).__name__}")
        return 1
    if response.status_code != 200:
        complain(f"not ready: {response.status_code} {response.text[:_SHOWN]}")
        return 1
    try:
        say(" ".join(response.text.split()) + "\n")
    except CannotSay as error:  # the answer is the exit status
        complain(str(error))
    return 0


def reachable(host: str) -> str:
    """An address that reaches a server on this machine that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
