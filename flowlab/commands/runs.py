"""`flowlab runs` and `flowlab export`: what a store holds."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from flowlab.commands.arguments import add_home, add_label, label_of, write
from flowlab.formatting import count
from flowlab.serving.film import stored_film
from flowlab.store.runs import RunStore


def add(commands: argparse._SubParsersAction) -> None:
    _add_runs(commands)
    _add_export(commands)


def _add_runs(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("runs", help="list the runs of a store, or give one a name, a note and tags")
    command.add_argument("run", nargs="?", help="id of one run, or how it begins")
    command.add_argument("--tag", help="list those with this tag")
    add_label(command)
    add_home(command)
    command.set_defaults(command=runs)


def runs(options: argparse.Namespace) -> int:
    """List the runs of a store, newest first; name the one that is given."""
    store = RunStore(Path(options.home))
    given = (options.name, options.note, options.tags)
    if options.run is None:
        if any(text is not None for text in given):
            raise ValueError("--name, --note and --tags are of one run; give its id")
        stored = [run for run in store.list() if options.tag is None or options.tag in run.label.tags]
    else:
        run = store.find(options.run)
        if any(text is not None for text in given):
            store.set_label(run.run_id, label_of(options, run.label))
        stored = [store.find(run.run_id)]
    for run in stored:
        made = datetime.datetime.fromtimestamp(run.created).strftime("%Y-%m-%d %H:%M")
        steps = f"{count(run.events[-1].step)} steps" if run.events else "no step"
        label = run.label
        parts = [label.name, f"{run.spec.data.name} · {run.spec.model.name}, {steps}", label.tags_text]
        print(f"{run.run_id}  {made}  {run.status:<11}  {'  '.join(filter(None, parts))}")
        if options.run is not None and label.note:
            print(label.note)
    if not stored:
        with_tag = f" with the tag {options.tag}" if options.tag else ""
        print(f"There are no runs{with_tag} in {options.home}.")
    return 0


def _add_export(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("export", help="write a finished run as one HTML page")
    command.add_argument("run", help="id of the run, or how it begins; `runs` lists them")
    command.add_argument("-o", "--output", required=True, help="the HTML file to write")
    add_home(command)
    command.add_argument("--address", default="http://localhost:8501", help="of the dashboard that the page links to")
    command.set_defaults(command=export)


def export(options: argparse.Namespace) -> int:
    """Write a finished run as one HTML page."""
    film = stored_film(RunStore(Path(options.home)), options.run, options.address)
    write(options.output, film.to_html().encode())
    return 0
