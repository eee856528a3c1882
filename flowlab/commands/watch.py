"""`flowlab watch`: new files scored, and whether the detector's promise still holds."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import http.client
import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from flowlab.commands.score import add_scoring, named_files, outputs_in, score_one
from flowlab.detection.monitor import ERROR, Monitor
from flowlab.serving.bundle import from_bytes
from flowlab.serving.watch import begin, read_history, watched
from flowlab.store.atomic import append_lines

BROKEN = 3
"""Exit status where a promise is broken."""


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("watch", help="score new files and say whether the detector's promise still holds")
    command.add_argument("detector", help="a detector file")
    command.add_argument("files", nargs="+", help="tables, or a pattern of names; a file seen before is passed over")
    command.add_argument("-o", "--output", help="a folder for the scored tables; by default they are not kept")
    command.add_argument("--history", metavar="FILE", help="a line for each file; by default beside the detector")
    command.add_argument("--error", type=float, default=ERROR, help="chance of ever crying wolf; default %(default)s")
    command.add_argument("--restart", action="store_true", help="forget what the monitor saw, not the history")
    command.add_argument("--webhook", metavar="URL", help="address to send a message to when the promise is broken")
    add_scoring(command)
    command.set_defaults(command=watch)


def watch(options: argparse.Namespace) -> int:
    """Score new files, add them to the detector's history and say whether its promise holds; status 3 if not."""
    data = Path(options.detector).read_bytes()
    detector, name = from_bytes(data), hashlib.sha256(data).hexdigest()[:16]
    if not 0 < options.error < 1:
        raise ValueError(f"--error must lie between 0 and 1, not {options.error:g}")
    if options.webhook and not options.webhook.startswith(("http://", "https://")):
        raise ValueError("--webhook is an address that begins with http:// or https://")
    history = Path(options.history or f"{options.detector}.history.jsonl")
    lines = read_history(history.read_bytes().splitlines()) if history.exists() else []
    own = [line for line in lines if line.detector == name]
    seen = {line.digest for line in own}
    monitor = Monitor.from_record(own[-1].monitor) if own and not options.restart else begin(detector, options.error)
    for file in named_files(options.files):
        content = Path(file).read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        if digest in seen:
            print(f"{file}: seen before")
            continue
        output = None if options.output is None else outputs_in(options.output, [file])[0]
        summary = score_one(options, data, file, output)
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        monitor, line = watched(monitor, detector, summary, file, digest, name, when)
        append_lines(history, line.to_json().encode() + b"\n")
        seen.add(digest)
        for sentence in (line.line, *summary.drift):
            print(sentence)
    print(monitor.sentence)
    if not monitor.is_broken:
        return 0
    print(
        "Next: flowlab recalibrate sets the threshold anew on newer rows; flowlab train --against "
        f"{options.detector} trains again and compares both."
    )
    if options.webhook:
        _post(options.webhook, {"detector": options.detector, "broken": monitor.sentence, **monitor.to_record()})
    return BROKEN


def _post(address: str, message: Mapping[str, object]) -> None:
    """Send a message as JSON; a failure is said and changes nothing else."""
    body = json.dumps(message).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"flowlab: the webhook did not take the message ({error})", file=sys.stderr)
