"""Where torch's oneDNN is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def without_onednn() -> Iterator[None]:
    """Switch oneDNN off.

    Its LSTM prepares the weights anew in every call: at one token a call that costs five times the
    arithmetic (2x512: 6-9 ms against 1.2 ms). And it warns of layers that it does not have.
    """
    # torch.backends.mkldnn.flags() would also touch, and warn of, a switch for GPUs.
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)
