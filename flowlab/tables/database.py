"""The rows of a query to a database, through SQLAlchemy where it is installed, as the CSV of the same cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flowlab.formatting import count, fixed
from flowlab.tables.as_text import cell_text
from flowlab.tables.dialect import Written
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import ColumnReadings, Table, read_table

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

ROWS_AT_ONCE = 10_000
QUERY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(select|with|values|table)\b", re.IGNORECASE | re.DOTALL)
NO_ADDRESS = "This is no address of a database; write one such as sqlite:///orders.db or postgresql://user@host/name."


def read_query(
    address: str,
    query: str,
    missing_codes: Sequence[str | float] = (),
    readings: ColumnReadings | None = None,
    limits: Limits = Limits(),
) -> Table:
    """The rows of a query as a table, read as the CSV of the same cells is; nothing keeps the address.

    Parameters
    ----------
    address : of the database, as SQLAlchemy writes it: "sqlite:///orders.db", "postgresql://user:password@host/name"
    query : one SELECT, or WITH before one; it is undone where it changes anything
    missing_codes : cells that mean no value
    readings : how single columns are read, as `column_readings` gives it
    limits : as of a file of the rows

    Raises
    ------
    ImportError
        Without SQLAlchemy, or the driver of that database; one sentence says how to install it.
    TableError
        For no address, no query, what the database refuses, and too many rows; without the password.
    """
    sink = io.BytesIO()
    write_query(address, query, sink, limits)
    written: Written = {"delimiter": ",", "encoding": "utf-8", "header": True, "decimal": "."}
    how = readings or ColumnReadings(types={}, formats={})
    return read_table(sink.getvalue(), "query", missing_codes=missing_codes, limits=limits, **written, **how)


def write_query(address: str, query: str, sink: IO[bytes], limits: Limits | None = None) -> None:
    """Write the rows of a query as UTF-8 CSV, some at a time; errors as of `read_query`. None: no limits."""
    try:
        import sqlalchemy
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ImportError:
        raise ImportError('a query needs SQLAlchemy; install it with: pip install "flowlab[sql]"') from None
    if not QUERY.match(query) or ";" in query.rstrip().rstrip(";"):
        raise TableError("A query is one SELECT, or WITH before one; this is another statement, or several.")
    plain = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", query)  # a colon marks no parameter here
    try:
        url = make_url(address)
    except ArgumentError:
        raise TableError(NO_ADDRESS) from None
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file and not Path(str(url.database)).is_file():  # it would be made
        raise TableError(f"There is no database {Path(str(url.database)).name!r}; check the address.")
    try:
        engine = sqlalchemy.create_engine(url, hide_parameters=True)
    except SQLAlchemyError:
        raise TableError(NO_ADDRESS) from None
    except ImportError as error:
        raise ImportError(f"this database needs the package {error.name}; install it with pip") from None
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            options = {"stream_results": True, "postgresql_readonly": True}
            if engine.dialect.name != "postgresql":
                del options["postgresql_readonly"]
            rows = connection.execution_options(**options).execute(sqlalchemy.text(plain))
            if not rows.returns_rows:
                raise TableError("The query gives no rows; write one SELECT.")
            _write(rows, sink, limits)
            connection.rollback()
    except SQLAlchemyError as error:
        raise TableError(f"The database did not answer: {_said(error, url.password)}") from None
    finally:
        engine.dispose()


def _write(rows: CursorResult[Any], sink: IO[bytes], limits: Limits | None) -> None:
    names = list(rows.keys())
    if limits is not None and len(names) > limits.columns:
        raise TableError(f"The query gives {count(len(names))} columns, too many; select fewer.")
    n_rows = n_bytes = 0
    piece: Sequence[Sequence[Any]] = [names]
    while piece:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([cell_text(cell) for cell in row] for row in piece)
        data = text.getvalue().encode("utf-8", "replace")
        n_bytes += len(data)
        if limits is not None and (n_rows > limits.rows or n_bytes > limits.bytes):
            raise TableError(
                f"The query gives more than {count(limits.rows)} rows or {fixed(limits.bytes / 1e6, 0)} MB; add a "
                "LIMIT or take a sample."
            )
        sink.write(data)
        piece = rows.fetchmany(ROWS_AT_ONCE)
        n_rows += len(piece)


def _said(error: Exception, password: object) -> str:
    """The first line of what a database said, without the password."""
    text = str(getattr(error, "orig", None) or error).strip().split("\n")[0][:200]
    return text.replace(str(password), "***") if password else text
