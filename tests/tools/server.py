"""The server of `unlite collect` in a process of its own, with a detector that needs no model; how to speak to it."""

import http.client
import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.tools.staged import collector
from unlite.collecting.jobs import Jobs
from unlite.collecting.serving.desk import Desk
from unlite.collecting.serving.server import serve

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

LABELS = ("fist", "palm", "none")
PRELOADED = [__name__, "uvicorn", "starlette.applications", "skimage.measure._blur_effect", "imagehash", "cv2"]
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    process: int
    root: Path
    address: str

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def connect(self) -> socket.socket:
        """A connection on which nothing is said yet."""
        name, _, port = self.host.rpartition(":")
        return socket.create_connection((name, int(port)), timeout=SECONDS)

    @property
    def token(self) -> str:
        return urlsplit(self.address).path.strip("/")

    def ask(
        self, path: str, said: object = None, headers: Mapping[str, str | None] | None = None, *, method: str = ""
    ) -> Answer:
        """One request below the address, or with a slash at the beginning below the server's root.

        Args:
            path: Sent as it is.
            said: What is sent: bytes, or an object for JSON. None: it is a question.
            headers: Other ones than the page's; None: none of this name.
            method: Default: GET, or POST where something is sent.
        """
        body = said if isinstance(said, bytes) or said is None else json.dumps(said).encode()
        sent = {"Host": self.host, **({"Origin": f"http://{self.host}"} if body is not None else {}), **(headers or {})}
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS)
        try:
            where = path if path.startswith("/") else f"/{self.token}/{path}"
            connection.putrequest(method or ("GET" if body is None else "POST"), where, skip_host=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def live(self, **changed: Any) -> "AbstractContextManager[ClientConnection]":
        """The page's WebSocket; see `websockets.sync.client.connect` for what can be changed."""
        from websockets.sync.client import connect

        options: dict[str, Any] = {"origin": f"http://{self.host}", "open_timeout": SECONDS, "compression": None}
        uri = changed.pop("uri", f"ws://{self.host}/{self.token}/live")
        opened: AbstractContextManager[ClientConnection] = connect(uri, **{**options, **changed})
        return opened

    def is_well(self) -> bool:
        """Whether it lives, and answers."""
        return bool(self.ask("state").json["folder"] == str(self.root))

    def memory(self) -> int:
        """The most bytes that it has needed at once."""
        said = Path(f"/proc/{self.process}/status").read_text()
        return int(next(line.split()[1] for line in said.splitlines() if line.startswith("VmHWM"))) << 10


@contextmanager
def staged_server(root: Path) -> Iterator[Server]:
    """A server that collects into a folder; in the end it is interrupted, as people do, and has to end well."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(root, theirs))
    process.start()
    try:
        assert ours.poll(SECONDS), "the server does not start"
        yield Server(process.pid or 0, root, ours.recv())
        os.kill(process.pid or 0, signal.SIGINT)
        process.join(SECONDS)
        assert process.exitcode == 0
    finally:
        process.kill()


def _serve(root: Path, told: Connection) -> None:
    made = collector(root)
    made.store.open(LABELS)
    jobs = Jobs("palm_detection_full", root)
    try:
        serve(Desk(made, jobs), 0, told.send)
    finally:
        jobs.stop()
        made.store.close()
