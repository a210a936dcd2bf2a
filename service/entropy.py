"""Random bits that nobody can guess, from the system, some thousand at a time.

Each call of the system lets go of the interpreter's lock, and then waits for it behind the engines.
"""

from __future__ import annotations

import os
import threading

_BLOCK_BYTES = 4096


class _Block:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew; a process that was forked must not repeat what its parent says."""
        self._lock = threading.Lock()
        self._left = b""

    def take(self, num_bytes: int) -> bytes:
        with self._lock:
            if len(self._left) < num_bytes:
                self._left = os.urandom(max(_BLOCK_BYTES, num_bytes))
            taken, self._left = self._left[:num_bytes], self._left[num_bytes:]
        return taken


_block = _Block()
os.register_at_fork(after_in_child=_block.forget)


def token_hex(num_bytes: int) -> str:
    """So many random bytes as hexadecimal digits."""
    return _block.take(num_bytes).hex()


def randbits(num_bits: int) -> int:
    """An integer of so many random bits."""
    num_bytes = -(-num_bits // 8)
    return int.from_bytes(_block.take(num_bytes), "big") >> (8 * num_bytes - num_bits)
