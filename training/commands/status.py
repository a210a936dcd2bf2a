"""Exit statuses of `lstm-train`."""

from __future__ import annotations

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
