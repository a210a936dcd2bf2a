"""The same model in Triton, for `benchmarks.peers --triton`: a decoupled model, a token an event.

    ENVIRONMENT/bin/python benchmarks/triton_server.py --graph FILE --alphabet FILE \
        --folder FOLDER --port PORT

Runs in an environment of its own (`benchmarks.triton`) and imports nothing of this project, which
is not installed there. It makes a model repository of `triton_model.py`, and becomes Triton's own
server, out of the package `nvidia-pytriton`: its HTTP server and its Python backend, without what
pytriton puts between them, which is slower. It is asked at POST /v2/models/lstm/generate_stream.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from pathlib import Path

_MODEL = "lstm"
_CONFIG = """
backend: "python"
model_transaction_policy { decoupled: true }
input [
  { name: "prompt" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "max_tokens" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "temperature" data_type: TYPE_FP32 dims: [ 1 ] },
  { name: "seed" data_type: TYPE_INT64 dims: [ 1 ] }
]
output [
  { name: "text" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "num_tokens" data_type: TYPE_INT32 dims: [ 1 ] }
]
instance_group [ { kind: KIND_CPU } ]
"""


def main() -> None:
    """Make the folders that Triton wants, and become Triton."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--alphabet", type=Path, required=True, help="JSON: a text for each id")
    parser.add_argument("--folder", type=Path, required=True, help="made anew for its files")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    backends = _backends(options.folder)
    models = _models(options.folder, {"graph": options.graph, "alphabet": options.alphabet})
    server = _package() / "tritonserver" / "bin" / "tritonserver"
    server.chmod(0o755)
    # The backend's interpreter finds the environment by the first python of the path.
    os.environ["PATH"] = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    os.environ["LD_LIBRARY_PATH"] = str(_package().with_name("nvidia_pytriton.libs"))
    command = [str(server), f"--model-repository={models}", f"--backend-directory={backends}"]
    command += ["--http-address=127.0.0.1", f"--http-port={options.port}"]
    command += ["--allow-grpc=false", "--allow-metrics=false", "--exit-timeout-secs=1"]
    os.execv(server, command)


def _package() -> Path:
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        sys.exit("nvidia-pytriton is not installed here")
    return Path(found.origin).parent


def _backends(folder: Path) -> Path:
    """The Python backend with its interpreter of this version."""
    backends = folder / "backends"
    shutil.copytree(_package() / "tritonserver" / "backends", backends)
    name, version = "triton_python_backend_stub", "{}.{}".format(*sys.version_info)
    stubs = _package() / "tritonserver" / "python_backend_stubs"
    shutil.copy2(stubs / version / name, backends / "python" / name)
    (backends / "python" / name).chmod(0o755)
    return backends


def _models(folder: Path, parameters: dict[str, Path]) -> Path:
    """A model repository of one model."""
    version = folder / "models" / _MODEL / "1"
    version.mkdir(parents=True)
    shutil.copy2(Path(__file__).with_name("triton_model.py"), version / "model.py")
    lines = [
        f'parameters {{ key: "{key}" value: {{ string_value: "{path.resolve()}" }} }}\n'
        for key, path in parameters.items()
    ]
    (version.parent / "config.pbtxt").write_text(_CONFIG + "".join(lines), encoding="utf-8")
    return version.parent.parent


if __name__ == "__main__":
    main()
