"""How the tests run: torch on one thread, coroutines on asyncio's own loop, as the service does."""

import os

import pytest
from hypothesis import settings

# Tiny models gain nothing from a second thread, and on a busy machine the two wait for each other.
# torch reads this when it is imported; processes that a test starts inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of servers start: each would compile all modules anew where nothing may keep them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A machine that is busy with something else is no fault of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# No test leaves sessions behind in the data folder of whoever runs it.
os.environ["LSTM_SERVE_SESSION_STORE"] = "memory://"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One backend: without this every coroutine test would run on trio as well."""
    return "asyncio"
