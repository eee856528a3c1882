"""A detector over HTTP: rows in as CSV, JSON or Parquet; scores, flags, p-values, reasons and novelty out.

Rows are scored by the code of the command line, so a CSV that is posted comes back as `flowlab score` would write it.
"""

from __future__ import annotations

import asyncio
import hmac
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import IO, Any

import numpy as np
import pandas as pd
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flowlab import __version__
from flowlab.serving.bundle import DetectorFileError, describe_detector
from flowlab.serving.scoring import score_file
from flowlab.tables.limits import TableError

MAX_BYTES = 64 * 2**20
"""Bytes of a request's rows, unless told otherwise."""
PIECE = 2**18
IN_MEMORY = 8 * 2**20
TEXTS = ("novelty", "reason_")
"""How the names of added columns of text begin; the others hold numbers."""
MEDIA = {
    "application/json": "json",
    "text/csv": "file",
    "text/plain": "file",
    "application/octet-stream": "file",
    "application/vnd.apache.parquet": "file",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "file",
    "application/vnd.ms-excel": "file",
    "application/x-ndjson": "file",
    "application/gzip": "file",
    "application/zip": "file",
    "application/vnd.apache.arrow.file": "file",
    "application/vnd.oasis.opendocument.spreadsheet": "file",
}


def make_service(detector: bytes, token: str = "", max_bytes: int = MAX_BYTES, width: int = 0) -> Starlette:
    """The service of one detector, an ASGI application.

    POST /score takes the rows as the body: CSV, other delimited text, gzip or ZIP of it, Parquet, Feather, a workbook
    or a JSON object in each line, or with the content type `application/json` a list of objects, or {"rows": [...]}. It
    answers CSV, or JSON where the request accepts `application/json` or sent it. GET /health says that it is ready, GET
    /version which detector and FlowLab it is.
    Whatever is wrong with rows is one sentence under "error".

    Parameters
    ----------
    detector : content of a detector file; DetectorFileError where it is none
    token : requests to /score and /version must carry it as `Authorization: Bearer ...`; "" asks for none
    max_bytes : longest body
    width : processes for one request, 0 for none but this one
    """
    described = describe_detector(detector)
    at_once = asyncio.Semaphore(os.cpu_count() or 1)

    def refusal(request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            sentence = "Send the token of this service as the header Authorization: Bearer TOKEN."
            return JSONResponse({"error": sentence}, 401, {"WWW-Authenticate": "Bearer"})
        return None

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def version(request: Request) -> Response:
        return refusal(request) or JSONResponse({"flowlab": __version__, **_finite(described)})

    async def score(request: Request) -> Response:
        refused = refusal(request)
        if refused is not None:
            return refused
        kind = request.headers.get("content-type", "text/csv").split(";")[0].strip().lower()
        if kind not in MEDIA:
            return JSONResponse({"error": f"Send {', '.join(MEDIA)}, not {kind[:60]}."}, 415)
        body = await _body(request, max_bytes)
        if body is None:
            return JSONResponse({"error": f"The rows are longer than {max_bytes:,} bytes; send fewer at once."}, 413)
        wants_json = MEDIA[kind] == "json" or "application/json" in request.headers.get("accept", "")
        async with at_once:
            try:
                table = await asyncio.to_thread(_as_file, body, MEDIA[kind])
                summary, scored = await asyncio.to_thread(_scored, detector, table, width)
            except (TableError, DetectorFileError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 422)
        headers = {"X-Rows": str(summary["rows"]), "X-Flagged": str(summary["flagged"])}
        if wants_json:
            text = await asyncio.to_thread(_as_json, scored, summary)
            return Response(text, media_type="application/json", headers=headers)
        return StreamingResponse(_pieces(scored), media_type="text/csv; charset=utf-8", headers=headers)

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/version", version),
            Route("/score", score, methods=["POST"]),
        ]
    )


async def _body(request: Request, max_bytes: int) -> bytes | None:
    """The body, None as soon as it is too long, whatever its headers say."""
    pieces, n_bytes = [], 0
    async for piece in request.stream():
        n_bytes += len(piece)
        if n_bytes > max_bytes:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _as_file(body: bytes, kind: str) -> bytes:
    """Rows as a file that the command line reads; TableError for JSON that holds none."""
    if kind == "file":
        return body
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise TableError("The body is not JSON; send a list of objects, one for each row.") from error
    rows = rows.get("rows") if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise TableError('Send a list of objects, one for each row, or {"rows": [...]}.')
    if any(isinstance(value, list | dict) for row in rows for value in row.values()):
        raise TableError("Each value of a row is a number, a text, true, false or null.")
    frame = pd.DataFrame(rows)
    for name in frame:
        kinds = {type(value) for value in frame[name].dropna()}
        if len(kinds - {int, float}) > 1 or (kinds & {str} and len(kinds) > 1):
            frame[name] = frame[name].map(lambda value: None if pd.isna(value) else str(value))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _scored(detector: bytes, table: bytes, width: int) -> tuple[dict[str, Any], IO[bytes]]:
    sink = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the response closes it
    try:
        summary = score_file(detector, io.BytesIO(table), sink, width)
    except BaseException:
        sink.close()
        raise
    sink.seek(0)
    said = {
        "rows": summary.n_rows,
        "flagged": summary.n_flagged,
        "drift": list(summary.drift),
        "notes": list(summary.notes),
        "kinds": [kind.sentence for kind in summary.kinds],
    }
    return said, sink


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


def _as_json(file: IO[bytes], summary: Mapping[str, Any]) -> str:
    """What was added to each row, and the summary."""
    with file:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    first = [i for i, name in enumerate(frame) if name.startswith("anomaly_score")][-1]
    added = frame.iloc[:, first:]
    rows = [
        {name: value if name.startswith(TEXTS) else (float(value) if value else None) for name, value in row.items()}
        for row in added.to_dict("records")
    ]
    return json.dumps({**summary, "scores": rows})


def _finite(described: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: such numbers become text."""
    return {k: str(v) if isinstance(v, float) and not np.isfinite(v) else v for k, v in described.items()}
