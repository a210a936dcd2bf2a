"""Exit statuses of `lstm-train`."""

from __future__ import annotations

DONE, FAILED, INTERRUPTED = 0, 1, 130
