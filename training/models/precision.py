"""Which number format the forward and backward pass use on this CPU."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from training.config.optimisation import Precision
from training.errors import PrecisionError

ResolvedPrecision = Literal["float32", "bfloat16"]


def resolve_precision(asked: Precision) -> ResolvedPrecision:
    """Turn "auto" into the format that is fast here, and check an explicit one.

    Raises:
        PrecisionError: bfloat16 was asked for and this CPU cannot train an LSTM in it.
    """
    if asked == "float32":
        return "float32"
    works = _bfloat16_works()
    if asked == "auto":
        return "bfloat16" if works and _has_bfloat16_instructions() else "float32"
    if not works:
        raise PrecisionError(
            "training.precision = 'bfloat16': this CPU cannot run an LSTM in bfloat16; "
            "use 'auto' or 'float32'"
        )
    return "bfloat16"


def _has_bfloat16_instructions() -> bool:
    """Emulated bfloat16 works on some CPUs but is slower than float32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _bfloat16_works() -> bool:
    """Run one tiny step: oneDNN's LSTM raises on CPUs without the instructions."""
    lstm = nn.LSTM(8, 8)
    # By itself: threads that torch starts here would not flush denormals when it trains.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, _ = lstm(torch.zeros(2, 2, 8))
        output.float().sum().backward()
    except RuntimeError:
        return False
    finally:
        torch.set_num_threads(num_threads)
    return True
