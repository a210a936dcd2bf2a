"""How the tests run: coroutines on asyncio's own loop, as the service does."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One backend: without this every coroutine test would run on trio as well."""
    return "asyncio"
