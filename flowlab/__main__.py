"""The command line: open the dashboard, train a detector on a table, score another with it, list and export runs.

flowlab app
flowlab train orders.csv --label fraud -o orders.detector
flowlab score orders.detector new.csv -o scored.csv
flowlab watch orders.detector month/*.csv
flowlab recalibrate orders.detector april.csv -o april.detector
flowlab serve orders.detector
flowlab runs
flowlab export 3f9a0c1d -o film.html
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from flowlab import __version__
from flowlab.commands import app, recalibrate, runs, score, serve, train, watch
from flowlab.jobs import JobError
from flowlab.tables.limits import TableError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, or 1 after an error; argparse exits with 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every code page has thin spaces and minus signs
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (TableError, ValueError, JobError, OSError, ImportError) as error:
        print(f"flowlab: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print("flowlab: the memory is too small for this; use fewer rows or columns", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("flowlab: interrupted", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowlab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"flowlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (app, train, score, watch, recalibrate, serve, runs):
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
