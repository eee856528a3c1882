"""`flowlab app`: the dashboard."""

from __future__ import annotations

import argparse
import os
import sys

from flowlab.commands.arguments import add_home, port


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("app", help="open the dashboard")
    command.add_argument("--port", type=port, help="by default 8501, or the next that is free")
    command.add_argument("--address", help="to listen on; by default 127.0.0.1, which only this machine reaches")
    add_home(command)
    command.add_argument(
        "--open", action=argparse.BooleanOptionalAction, help="open a browser; by default when run in a terminal"
    )
    command.set_defaults(command=app)


def app(options: argparse.Namespace) -> int:
    """Serve the dashboard until it is stopped."""
    os.environ["FLOWLAB_HOME"] = options.home
    try:
        from flowlab.dashboard import launcher
    except ModuleNotFoundError as error:
        raise ImportError(f'the dashboard needs {error.name}; install it with: pip install "flowlab[app]"') from error
    launcher.run(options.port, options.address, sys.stdout.isatty() if options.open is None else options.open)
    return 0
