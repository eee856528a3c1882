"""What the commands share: options, how a table is read, and what is said and written."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flowlab.evaluation.versions import Versions
from flowlab.formatting import count
from flowlab.serving.blocks import Reading
from flowlab.store.atomic import replacing
from flowlab.store.label import RunLabel
from flowlab.tables.dialect import DELIMITERS

N_MOVED = 10
"""Rows whose place changed most, as far as they are listed."""


def add_home(command: argparse.ArgumentParser) -> None:
    """The folder of runs and tables."""
    home = os.environ.get("FLOWLAB_HOME", ".flowlab")
    command.add_argument("--home", default=home, help="folder of runs and tables; by default %(default)s")


def add_label(command: argparse.ArgumentParser) -> None:
    """What people call a run or detector."""
    command.add_argument("--name", help="what it is called")
    command.add_argument("--note", help="what is to be known of it")
    command.add_argument("--tags", help="separated by commas")


def label_of(options: argparse.Namespace, before: RunLabel) -> RunLabel:
    """The label that `add_label` reads; what is not given stays as before."""
    name, note, tags = (getattr(options, key) for key in ("name", "note", "tags"))
    return RunLabel.of(
        before.name if name is None else name,
        before.note if note is None else note,
        before.tags if tags is None else tags,
    )


def add_reading(command: argparse.ArgumentParser) -> None:
    """How the table is written, where that is not to be found out."""
    group = command.add_argument_group("reading", "how the table is written; found out unless given")
    group.add_argument("--delimiter", type=_delimiter, help="one character, or " + ", ".join(DELIMITERS.values()))
    group.add_argument("--encoding", type=_encoding, help="such as utf-8, cp1252 or shift_jis")
    group.add_argument("--decimal", choices=(".", ","), help="decimal sign")
    group.add_argument(
        "--header", action=argparse.BooleanOptionalAction, default=None, help="whether the first row names the columns"
    )
    group.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="CODE",
        help="a cell that means no value, such as -999; repeat",
    )


def add_query(command: argparse.ArgumentParser) -> None:
    """Rows of a database in place of files."""
    group = command.add_argument_group("database", "rows of a query in place of files; needs flowlab[sql]")
    group.add_argument(
        "--database",
        metavar="ADDRESS",
        default=os.environ.get("FLOWLAB_DATABASE", ""),
        help="such as postgresql://user@host/name; by default FLOWLAB_DATABASE, where a password is best kept",
    )
    group.add_argument("--query", metavar="SQL", help="one SELECT")


def queried(options: argparse.Namespace) -> bool:
    """Whether a query is asked for; ValueError where files and query, or neither, are given."""
    if bool(options.files) == bool(options.query):
        raise ValueError("give either files or a --query")
    if options.query and not options.database:
        raise ValueError("--query needs --database, or the address in FLOWLAB_DATABASE")
    return bool(options.query)


def reading(options: argparse.Namespace) -> Reading:
    """Arguments of `read_table`: those that were given."""
    return Reading(
        delimiter=options.delimiter,
        encoding=options.encoding,
        decimal=options.decimal,
        header=options.header,
        missing_codes=tuple(options.missing or ()),
    )


def _delimiter(text: str) -> str:
    found = {name: sign for sign, name in DELIMITERS.items()}.get(text, "\t" if text == "\\t" else text)
    if len(found) != 1 or found.isalnum():
        raise argparse.ArgumentTypeError(f"one character or one of {', '.join(DELIMITERS.values())}, not {text!r}")
    return found


def _encoding(text: str) -> str:
    try:
        is_text = codecs.lookup(text)._is_text_encoding
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise argparse.ArgumentTypeError(f"{text!r} is no encoding; name one such as utf-8, cp1252 or shift_jis")
    return text


def port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a number from 1 to 65535, not {text!r}")
    return int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 999999999, not {text!r}")
    return int(text)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{option} is written NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


def check_output(output: str, source: str) -> None:
    folder = Path(output).resolve().parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to write {Path(output).name} to; make it first")
    if Path(output).is_dir():
        raise ValueError(f"{output} is a folder; give the name of a file to write")
    if Path(output).resolve() == Path(source).resolve():
        raise ValueError(f"{output} is the file that is read; give another name with -o")


def write(path: str, data: bytes) -> None:
    with replacing(Path(path)) as file:
        file.write(data)
    print(f"{count(len(data))} bytes written to {path}")


def say_versions(versions: Versions) -> None:
    """What two versions of a detector say of the same rows, and the rows whose place changed most."""
    for sentence in versions.sentences:
        print(sentence)
    for row in versions.moved()[:N_MOVED].tolist():
        old, new = count(int(versions.old_place[row])), count(int(versions.new_place[row]))
        print(f"row {count(row)}: place {old} before, {new} now; flagged by {versions.verdict(row)}")


def say(line: str) -> None:
    """Progress on one line, where a person is looking."""
    if sys.stderr.isatty():
        with contextlib.suppress(OSError):
            print(f"\r\x1b[K{line}", end="" if line else "\r", file=sys.stderr, flush=True)
