"""`flowlab app`: the dashboard as an ASGI application, with what a server has around its pages.

The training lanes live as long as the server (lifespan); every answer carries security headers (middleware); `/healthz`
and `/metrics` are for whoever watches the server (routes); an exception that no page foresaw ends in one sentence
(`on_script_error`). `streamlit run app.py` has all of this too, but starts the lanes with the first page: workers
import the main module again, which is Streamlit itself before that. The pages' modules are imported inside functions:
Streamlit warns of every cache that is made before its server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowlab import __version__, app_folder, log_lines
from flowlab.dashboard import first_paint
from flowlab.dashboard.shell import visitors

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "media-src 'self' data: blob:; "
        "connect-src 'self' ws: wss: data: blob:; worker-src 'self' blob:; frame-src 'self' blob: data:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    ),
}
"""Every answer carries these: contents are what they are called, links stay here, no foreign frame, picture or script.

Streamlit's own pages need scripts and styles within the page."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def make_app(when_ready: Callable[[], None] = lambda: None) -> st.App:
    """The dashboard as an ASGI application, for `uvicorn --factory flowlab.dashboard.launcher:make_app` too.

    Parameters
    ----------
    when_ready : called once the lanes are starting and before the first request
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[None]:
        from flowlab.dashboard.shell import services

        log_lines.set_up()  # now that the loggers of Streamlit and its server are there
        runner = await asyncio.to_thread(services.runner)
        when_ready()
        yield
        await asyncio.to_thread(runner.close)

    return st.App(app_folder.APP, lifespan=lifespan, **around_pages())


@contextlib.asynccontextmanager
async def closing(_: st.App) -> AsyncIterator[None]:
    """The lifespan of a server whose lanes start with the first page: what trains is saved when the server ends."""
    from flowlab.dashboard.shell import services

    yield
    await asyncio.to_thread(services.close)


def around_pages() -> dict[str, Any]:
    """Arguments of `st.App` that every server of the dashboard has: routes, headers, styles, a sentence for errors."""
    return {
        "routes": [Route("/healthz", health), Route("/metrics", metrics)],
        "middleware": [Middleware(KnownHosts), Middleware(SecurityHeaders), Middleware(FirstPaint)],
        "on_script_error": _say_error,
    }


def run(port: int | None = None, address: str | None = None, opens_browser: bool = False) -> None:
    """Serve the dashboard until it is stopped; a ValueError, JobError or OSError says why it cannot be.

    Parameters
    ----------
    port : by default 8501, or the next that is free
    address : to listen on, by default 127.0.0.1: this machine alone
    opens_browser : whether to open the dashboard in a browser
    """
    if port is not None:
        _check_port(port, address or "127.0.0.1")
    log_lines.set_up()
    logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(lambda record: False)
    from flowlab.dashboard.shell import services

    # Here, and not in the lifespan alone, so that a store or lanes that cannot be end in a sentence and not in a log.
    runner = services.runner()
    # Streamlit takes its settings from beside the file that it thinks was started.
    sys.argv = [str(app_folder.APP)]
    given = {"server.port": port, "server.address": address, "logger.hideWelcomeMessage": True}
    try:
        make_app(lambda: _announce(opens_browser)).run(config={k: v for k, v in given.items() if v is not None})
    finally:
        runner.close()


def _check_port(port: int, address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise OSError(
                f"cannot listen on port {port} of {address} ({error.strerror}); choose another --port or --address"
            ) from error


def _say_error(error: Exception) -> bool:
    from flowlab.dashboard.shell import frame

    return frame.say_error(error)


def _announce(opens_browser: bool) -> None:
    from flowlab.dashboard.shell import services

    address = st.get_option("server.address")
    host = f"[{address}]" if ":" in address else address
    if address in ("0.0.0.0", "::"):
        host = "localhost"
    url = f"http://{host}:{st.get_option('server.port')}"
    print(f"FlowLab is at {url} and keeps its runs in {services.home().resolve()}; Ctrl+C ends it.", flush=True)
    if opens_browser:
        webbrowser.open(url)


def is_known_host(host: str, known: str | None = None) -> bool:
    """Whether the server answers to the name in a Host header: numbers, this machine's names, those in FLOWLAB_HOSTS.

    A page of another site that has its own name lead here (DNS rebinding) is refused so. `known` stands for
    FLOWLAB_HOSTS: names with commas between, "*" for any.

    >>> [is_known_host(host, "lab.org") for host in ("localhost:8501", "192.168.0.7:80", "[::1]", "lab.org")]
    [True, True, True, True]
    >>> is_known_host("evil.example", "lab.org")
    False
    """
    name = urlsplit(f"//{host}").hostname or ""
    listed = (os.environ.get("FLOWLAB_HOSTS", "") if known is None else known).lower().replace(" ", "").split(",")
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    own = socket.gethostname().lower()
    return (
        name in LOOPBACK
        or "*" in listed
        or name in (own, f"{own.partition('.')[0]}.local", socket.getfqdn().lower(), *listed)
    )


class KnownHosts:
    """ASGI middleware that refuses requests for a host that is not this server's (`is_known_host`), in a sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if not host or is_known_host(host):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            text = "FlowLab does not answer to this name. If it should, start it with the name in FLOWLAB_HOSTS."
            await PlainTextResponse(text, status_code=421)(scope, receive, send)


class SecurityHeaders:
    """ASGI middleware that adds SECURITY_HEADERS to answers, and to a page the cookie of a visitor who has none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        is_new = scope["type"] == "http" and not visitors.of_cookies(Request(scope).cookies)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if is_new and headers.get("content-type", "").startswith("text/html"):
                    headers.append("set-cookie", visitors.new_cookie(scope.get("scheme") == "https"))
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class FirstPaint:
    """ASGI middleware that adds `first_paint.additions` to every HTML page of the dashboard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.head, self.body = first_paint.additions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a page's answer comes back with the additions."""
        if scope["type"] != "http" or b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
            await self.app(scope, receive, send)
            return
        # as it is, not packed: there is something to be put into it
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        start: Message | None = None  # of an answer that is a page; it waits for the length of its body
        page = bytearray()

        async def send_dressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    start = message
                    return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            page.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            dressed = page.replace(b"</head>", self.head + b"</head>", 1).replace(b"</body>", self.body + b"</body>", 1)
            headers = MutableHeaders(scope=start)
            headers["content-length"] = str(len(dressed))
            for name in ("etag", "last-modified"):  # of the page without the additions
                del headers[name]
            await send(start)
            await send({"type": "http.response.body", "body": bytes(dressed)})

        await self.app(scope, receive, send_dressed)


async def health(_: Request) -> JSONResponse:
    """Whether the server and its lanes are there: 200 and the version, or 503."""
    from flowlab.dashboard.shell import services

    lanes = services.runner().occupancy()["lanes"]
    is_up = lanes.total() > lanes["closed"]
    return JSONResponse(
        {"status": "ok" if is_up else "no lanes", "version": __version__}, status_code=200 if is_up else 503
    )


async def metrics(_: Request) -> PlainTextResponse:
    """How many lanes and runs are in each state, in Prometheus' text format; numbers alone, nothing of a visitor."""
    from flowlab.dashboard.shell import services

    lines = []
    for name, states in services.runner().occupancy().items():
        lines.append(f"# TYPE flowlab_{name} gauge")
        lines += [f'flowlab_{name}{{state="{state}"}} {number}' for state, number in sorted(states.items())]
    return PlainTextResponse("\n".join([*lines, ""]), media_type="text/plain; version=0.0.4")
