"""The version of the client, which is that of the server that it was tested with."""

__version__ = "0.1.0"
