"""Serves the page on this machine until somebody stops it."""

import secrets
import socket
from collections.abc import Callable

from converter.errors import BadInput
from unlite.collecting.serving.app import application
from unlite.collecting.serving.desk import Desk
from unlite.collecting.serving.guard import Guard

HOST = "127.0.0.1"
# Bytes of a camera's frame, and connections at once: the page has about ten.
LARGEST, MOST = 4 << 20, 64
ENDING = 2  # seconds that connections have to end


def serve(desk: Desk, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        desk: What it is about.
        port: Where; 0: wherever there is room.
        ready: Called with the page's address, as soon as it can be opened.

    Raises:
        BadInput: The port is taken.
    """
    import uvicorn

    listening = _listen(port)
    port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    config = uvicorn.Config(
        Guard(application(desk), token, port),
        log_level="error",
        access_log=False,
        server_header=False,
        ws_max_size=LARGEST,
        ws_max_queue=4,
        ws_per_message_deflate=False,  # frames are compressed already
        limit_concurrency=MOST,
        timeout_graceful_shutdown=ENDING,
    )
    ready(f"http://{HOST}:{port}/{token}/")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # which is how it is meant to end
        pass
    finally:
        listening.close()


def _listen(port: int) -> socket.socket:
    """Listening from now on, so that the address can be opened before the server has started."""
    try:
        return socket.create_server((HOST, port), backlog=128)
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"port {port} on {HOST}: {error}", hint="another one, or none: then a free one is taken"
        ) from None
