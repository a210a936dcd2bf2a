"""A small TCP proxy that breaks connections in the middle of what the server says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class CuttingProxy:
    """Passes connections on, one after the other, and cuts each where it is told to.

    Args:
        port: Of the server, on this machine.
        cuts: Bytes of the server's that each connection lets through before it is reset; those
            after the last of them are whole.

    Attributes:
        num_connections: That there were.
    """

    def __init__(self, port: int, cuts: Sequence[int]) -> None:
        self.num_connections = 0
        self._port = port
        self._cuts = iter(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Take no more, and wait for those that are there."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self.num_connections += 1
                thread = threading.Thread(target=self._pass, args=(client, next(self._cuts, None)))
                thread.start()
                self._threads.append(thread)

    def _pass(self, client: socket.socket, num_bytes: int | None) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            up = threading.Thread(target=_copy, args=(client, server, None))
            up.start()
            if _copy(server, client, num_bytes):
                # The client is told by a reset, as by a machine that has lost its power.
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RD)
            up.join()


def _copy(source: socket.socket, target: socket.socket, num_bytes: int | None) -> bool:
    """Until the source ends; or so many bytes, and then whether that was it."""
    with contextlib.suppress(OSError):
        while content := source.recv(1 << 14):
            if num_bytes is not None and len(content) >= num_bytes:
                target.sendall(content[:num_bytes])
                return True
            target.sendall(content)
            if num_bytes is not None:
                num_bytes -= len(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
    return False


@contextmanager
def cutting_proxy(port: int, *cuts: int) -> Iterator[CuttingProxy]:
    """A proxy before a server; gone in the end."""
    proxy = CuttingProxy(port, cuts)
    try:
        yield proxy
    finally:
        proxy.close()
