"""`lstm-serve bench`: what a running server writes a second, and how long its clients wait."""

from service.commands.bench.command import Bench, bench

__all__ = ["Bench", "bench"]
