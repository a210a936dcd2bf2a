"""Makes the engines of a server die or hang, for tests: to be put on PYTHONPATH.

Nothing of it is in the package, so that no setting of a real server leads here. An engine dies, or
hangs, as soon as a file of that name lies in the folder `LSTM_TEST_HOOKS`.
"""

import os
import time
from pathlib import Path

from service.engine.worker import Engine

_folder = Path(os.environ["LSTM_TEST_HOOKS"])
_run_once = Engine.run_once


def _run_once_unless_told(engine: Engine, lane: int = 0) -> bool:
    if (_folder / "die").exists():
        raise MemoryError("told to die")
    while (_folder / "hang").exists():
        time.sleep(0.05)
    return _run_once(engine, lane)


Engine.run_once = _run_once_unless_told  # type: ignore[assignment, method-assign]
