"""The address that a server listens on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_RECEIVE_BUFFER_BYTES = 64 << 10
# `localhost` may have an address of a kind that this machine does not use; another one will do.
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class CannotListen(OSError):
    """The server cannot have its address; the message says which and why."""


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """A socket for every address of `host`; nobody can connect until they listen.

    Args:
        host: A name or an address.
        port: 0 for one that is free, the same for all addresses.

    Raises:
        CannotListen: There is no such host, or the address is another's or forbidden.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        try:
            for family, address in _addresses(host, port):
                wanted = (address[0], port_of(sockets) if sockets else port, *address[2:])
                new = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                try:
                    _bind(new, family, wanted)
                except OSError as error:
                    if error.errno not in _NO_SUCH_ADDRESS:
                        raise
                    missing = error
                else:
                    sockets.append(new)
            if missing and not sockets:
                raise missing
        except (OSError, UnicodeError) as error:
            raise _cannot_listen(host, port, error) from error
        yield sockets


def listen(sockets: list[socket.socket]) -> None:
    """Let clients connect.

    Raises:
        CannotListen: Somebody else listens there by now.
    """
    for each in sockets:
        try:
            each.listen()
        except OSError as error:
            host, port = each.getsockname()[:2]
            raise _cannot_listen(host, port, error) from error


def port_of(sockets: list[socket.socket]) -> int:
    """The port that is really bound."""
    return int(sockets[0].getsockname()[1])


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, tuple(address)) for family, _, _, _, address in found))


def _bind(new: socket.socket, family: socket.AddressFamily, address: tuple[str | int, ...]) -> None:
    if os.name == "posix":  # a server that has just ended leaves its address behind for minutes
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    # Every connection inherits it. The system's own may grow to 6 MB each: hundreds of clients that
    # upload at once would fill the memory with it, and the event loop would read on and on.
    new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    new.bind(address)


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> CannotListen:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CannotListen(f"cannot listen on {where}: {reason}")
