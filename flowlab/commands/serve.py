"""`flowlab serve`: a detector over HTTP."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from flowlab import log_lines
from flowlab.commands.arguments import port


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("serve", help="score rows over HTTP; FLOWLAB_TOKEN is the token requests must carry")
    command.add_argument("detector", help="a detector file")
    command.add_argument("--port", type=port, default=8600, help="by default %(default)s")
    command.add_argument("--address", default="127.0.0.1", help="to listen on; by default only this machine reaches it")
    command.add_argument("--max-mb", type=int, default=64, help="longest request in MB; by default %(default)s")
    command.set_defaults(command=serve)


def serve(options: argparse.Namespace) -> int:
    """Serve a detector over HTTP until it is stopped."""
    try:
        import uvicorn

        from flowlab.serving.http import make_service
    except ModuleNotFoundError as error:
        raise ImportError(f'the service needs {error.name}; install it with: pip install "flowlab[serve]"') from error
    token = os.environ.get("FLOWLAB_TOKEN", "")
    if not token and options.address not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"others reach {options.address}: set a token in FLOWLAB_TOKEN, which requests must carry")
    service = make_service(Path(options.detector).read_bytes(), token, options.max_mb * 2**20)
    config = uvicorn.Config(service, host=options.address, port=options.port, log_level="warning", server_header=False)
    log_lines.set_up()  # after the loggers of the server are there
    print(f"http://{options.address}:{options.port}/score takes rows; /health and /version answer", flush=True)
    uvicorn.Server(config).run()
    return 0
