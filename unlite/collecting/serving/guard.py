"""Who may speak to the server: the page that was opened with its secret address, and nobody else."""

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = {"127.0.0.1", "localhost"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",  # the address is a secret
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
REFUSED = 1008  # of WebSockets: policy violation


class Guard:
    """An ASGI application around another one, which sees only what has the right address.

    Args:
        app: The other one.
        token: What paths begin with.
        port: Where the server listens.
    """

    def __init__(self, app: "ASGIApp", token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{host}:{port}" for host in HOSTS}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Let in or refuse one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reason = self._against(scope)
        if reason:
            await _refuse(scope, receive, send, reason)
            return
        await self._app({**scope, "root_path": f"/{self._token}"}, receive, _with_headers(send))

    def _against(self, scope: "Scope") -> str:
        """Why a request is refused; empty: it is not."""
        headers = dict(reversed(scope["headers"]))
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in self._hosts:  # a name that somebody else has pointed to this machine
            return "this server answers as 127.0.0.1 alone"
        origin = headers.get(b"origin")
        is_needed = scope["type"] == "websocket" or scope["method"] not in {"GET", "HEAD"}
        if (origin is None and is_needed) or (origin is not None and not self._is_ours(origin, host)):
            return "another page may not speak to this server"
        given = scope["path"].split("/")[1]
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return "this address lacks its secret part: open the whole address that unlite has printed"
        return ""

    @staticmethod
    def _is_ours(origin: bytes, host: str) -> bool:
        parts = urlsplit(origin.decode("latin-1"))
        return parts.scheme == "http" and parts.netloc == host


async def _refuse(scope: "Scope", receive: "Receive", send: "Send", reason: str) -> None:
    from starlette.responses import PlainTextResponse
    from starlette.websockets import WebSocketClose

    if scope["type"] == "websocket":
        await WebSocketClose(REFUSED, reason)(scope, receive, send)
    else:
        response = PlainTextResponse(f"{reason}\n", 403, HEADERS | {"Connection": "close"})
        await response(scope, receive, send)


def _with_headers(send: "Send") -> "Send":
    async def sending(message: "Message") -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            added = [(name, value) for name, value in _encoded(HEADERS.items()) if name not in own]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]
