"""What the server sends around its pages: the visitor's cookie, headers, and to whom it answers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from flowlab.dashboard import launcher
from flowlab.dashboard.shell import visitors
from flowlab.formatting import escaped


class Client:
    """Asks an ASGI application as a browser does that keeps its cookies."""

    def __init__(self, app) -> None:
        self.app, self.cookies = app, {}

    def get(self, path: str, host: str = "127.0.0.1") -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = [(b"host", host.encode()), (b"cookie", cookie.encode())]
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {
            "headers": sent,
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "root_path": "",
            "http_version": "1.1",
        }
        messages = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            messages.append(message)

        with ThreadPoolExecutor(1) as beside:  # this thread may hold the loop of a browser
            beside.submit(lambda: asyncio.run(self.app(scope, receive, send))).result()
        answer = Answer(
            messages[0]["status"], Headers(raw=messages[0]["headers"]), messages[1].get("body", b"").decode()
        )
        for kept in answer.headers.getlist("set-cookie"):
            name, _, value = kept.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@dataclass
class Answer:
    status_code: int
    headers: Headers
    text: str


@pytest.fixture
def client() -> Client:
    routes = [
        Route("/", lambda _: HTMLResponse("<html><head></head><body></body></html>")),
        Route("/text", lambda _: PlainTextResponse("x")),
    ]
    around = [Middleware(launcher.KnownHosts), Middleware(launcher.SecurityHeaders)]
    return Client(Starlette(routes=routes, middleware=around))


def test_a_page_gives_a_visitor_without_one_a_cookie_that_scripts_cannot_read(client):
    answer = client.get("/")
    (cookie,) = answer.headers.getlist("set-cookie")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    name = visitors.of_cookies(client.cookies)
    assert len(name) == 32 and name not in cookie, "the name beside runs is not the secret"
    again = client.get("/")
    assert "set-cookie" not in again.headers, "it stays: after a reload and in another tab it is the same visitor"
    assert "set-cookie" not in client.get("/text").headers


def test_a_cookie_that_is_none_of_ours_is_replaced(client):
    client.cookies[visitors.COOKIE] = "../../etc"
    assert "set-cookie" in client.get("/").headers


@pytest.mark.parametrize("path", ["/", "/text", "/absent"])
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in policy and "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "host, is_answered",
    [("localhost:8501", True), ("10.1.2.3", True), ("evil.example", False), ("127.0.0.1.evil.example", False)],
)
def test_another_sites_name_that_leads_here_is_refused(client, host, is_answered):
    answer = client.get("/", host)
    assert (answer.status_code == 200) == is_answered
    assert is_answered or "FLOWLAB_HOSTS" in answer.text


def test_a_name_can_be_allowed(client, monkeypatch):
    monkeypatch.setenv("FLOWLAB_HOSTS", "lab.example, Other.example")
    assert client.get("/", "other.example:443").status_code == 200


@pytest.mark.parametrize("text", ["http://evil.example", "www.evil.example", "me@evil.example", "![x](http://a/b.png)"])
def test_escaped_text_holds_nothing_that_markdown_makes_a_link_of(text):
    unescaped = escaped(text).replace("\\", "")
    for live in ("http:", "www.", "@evil", "http://"):
        assert live not in unescaped
    assert unescaped.replace("\u2060", "") == text
