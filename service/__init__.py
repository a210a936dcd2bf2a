"""lstm-serve: serve text from recurrent language models over HTTP."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lstm-serve")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
