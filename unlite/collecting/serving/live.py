"""The camera's frames, one WebSocket a page: each is looked at, perhaps kept, and answered in its order."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.errors import BadData, UnliteError
from unlite.collecting.collector import DROPPED, Collector, Shot, Takes
from unlite.collecting.seeing import as_rows, decoded, recognize

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from unlite.detection.finder import Finder

# What is being made of frames, in their order.
Answers = asyncio.Queue[asyncio.Future[dict[str, Any]]]
# Frames under way for each page, and pages with a camera. LiteRT takes a core a frame.
AHEAD, MOST = 2, 4
TOO_MANY = 1013  # of WebSockets: try again later


@dataclass(slots=True)
class _Wish:
    """What the page wants of the frames that follow.

    Attributes:
        hold: The label that is held; empty: none.
        trying: Whether the trained model shall name what it sees.
    """

    hold: str = ""
    trying: bool = False


@dataclass(slots=True)
class Live:
    """Answers pages with a camera.

    Attributes:
        collector: Keeps frames.
        trained: Gives the trained detector; None: there is none.
    """

    collector: Collector
    trained: "Callable[[], Finder | None]"
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AHEAD, "looking"))
    _takes: Takes = field(default_factory=Takes)
    _pages: int = 0

    async def page(self, socket: "WebSocket") -> None:
        """One page, until it goes."""
        if self._pages >= MOST:
            await socket.accept()
            await socket.close(TOO_MANY, f"{MOST} pages have a camera already: close one of them")
            return
        self._pages += 1
        try:
            await socket.accept()
            await self._serve(socket)
        finally:
            self._pages -= 1

    def close(self) -> None:
        """Wait for frames that are being looked at."""
        self._pool.shutdown()

    async def _serve(self, socket: "WebSocket") -> None:
        waiting: Answers = asyncio.Queue(AHEAD)
        both = {asyncio.create_task(work) for work in (self._receive(socket, waiting), _answer(socket, waiting))}
        done, rest = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()  # what went wrong is told, and ends the connection

    async def _receive(self, socket: "WebSocket", waiting: Answers) -> None:
        loop, wish = asyncio.get_running_loop(), _Wish()
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            if message.get("bytes") is not None:
                # Waits while there are enough: then the connection does, and the page's frames with it.
                await waiting.put(loop.run_in_executor(self._pool, self._frame, message["bytes"], wish))
            else:
                wish = self._wish(message["text"], wish)

    def _wish(self, text: str, before: _Wish) -> _Wish:
        """What the page says; nonsense changes nothing, but holds no label either."""
        try:
            said = json.loads(text)
            wish = _Wish(str(said.get("hold") or ""), said.get("trying") is True)
        except (ValueError, AttributeError, RecursionError):
            wish = _Wish(trying=before.trying)
        if wish.hold != before.hold:
            self._takes.release()
        return wish

    def _frame(self, content: bytes, wish: _Wish) -> dict[str, Any]:
        """What is seen in a frame, and what became of it."""
        started = time.perf_counter()
        try:
            made = self._looked(content, wish)
        except UnliteError as error:
            return problem(error)
        return made | {"ms": round((time.perf_counter() - started) * 1000, 1)}

    def _looked(self, content: bytes, wish: _Wish) -> dict[str, Any]:
        collector, pixels = self.collector, decoded(content)
        trained = self.trained() if wish.trying else None
        if trained:
            sight = recognize(trained, pixels)
            return {"found": as_rows(sight, trained.detector.min_score), "verdict": None, "id": None, **self.counts()}
        sight, outcome = collector.eye.look(pixels), None
        if wish.hold:
            if wish.hold not in collector.store.labels:
                raise BadData(f"there is no label {wish.hold!r}", hint=f"one of {', '.join(collector.store.labels)}")
            take = self._takes.of(wish.hold, time.monotonic())
            outcome = collector.keep(Shot(content, wish.hold, take), sight)
        return {
            "found": as_rows(sight, collector.eye.usual),
            "verdict": outcome.verdict if outcome else None,
            "id": str(outcome.number) if outcome and outcome.number else None,
            **self.counts(),
        }

    def counts(self) -> dict[str, Any]:
        """What is safely on disk, and what was dropped."""
        store = self.collector.store
        counts, labels = store.counts, store.labels
        return {
            "counts": {label: counts.pictures[label] for label in labels},
            "doubtful": {label: counts.doubtful[label] for label in labels},
            "dropped": {reason: self.collector.dropped[reason] for reason in DROPPED},
        }


async def _answer(socket: "WebSocket", waiting: Answers) -> None:
    from starlette.websockets import WebSocketDisconnect

    with suppress(WebSocketDisconnect):
        while True:
            made = await (await waiting.get())
            await socket.send_text(json.dumps(made))


def problem(error: UnliteError) -> dict[str, str]:
    """An error for the page."""
    return {"error": str(error).partition("\nhint: ")[0], "hint": error.hint}
