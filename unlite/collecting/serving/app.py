"""The page's routes: how questions and answers travel."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import BadData, OutputNotWritten, UnliteError
from unlite.collecting.jobs import REPORT
from unlite.collecting.serving.desk import Desk
from unlite.collecting.serving.live import Live, problem

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PAGE = Path(__file__).parents[1] / "page"
# The report's scripts are in the page itself; without an origin they reach nothing here.
APART = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:"
}
MOST = 1 << 20  # bytes of a request's body
WRONG, MISSING, TOO_LARGE, NO_ROOM = 400, 404, 413, 507


def application(desk: Desk) -> "Starlette":
    """The page's application; who may speak to it is `guard`'s to say."""
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    live = Live(desk.collector, desk.trained)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        live.close()

    run = desk.jobs.folder
    questions = {"state": desk.state, "job": desk.job, "pictures": desk.pictures}
    routes = [
        Route("/", _file(lambda: PAGE / "index.html")),
        Mount("/page", StaticFiles(directory=PAGE)),
        Route("/plotly.js", _plotly),
        *(Route(f"/{name}", _question(question)) for name, question in questions.items()),
        *(Route(f"/{name}", _told(tell), methods=["POST"]) for name, tell in desk.tells.items()),
        Route("/picture/{number}", _jpeg(desk.picture)),
        Route("/thumb/{number}", _jpeg(desk.thumbnail)),
        Route("/report", _file(lambda: run / REPORT, headers=APART)),
        Route("/model.tflite", _file(desk.jobs.exported, "application/octet-stream")),
        WebSocketRoute("/live", live.page),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={UnliteError: _problem})


Endpoint = Callable[["Request"], Any]


def _question(question: Callable[[Any], dict[str, Any]]) -> Endpoint:
    async def endpoint(request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        return JSONResponse(await run_in_threadpool(question, request.query_params))

    return endpoint


def _told(tell: Callable[[Any], dict[str, Any]]) -> Endpoint:
    async def endpoint(request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        said = await _body(request)
        return JSONResponse(await run_in_threadpool(tell, said))

    return endpoint


async def _body(request: "Request") -> dict[str, Any]:
    """What a request tells, an object of JSON."""
    from starlette.exceptions import HTTPException

    content, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        # What is too much is read, and forgotten: who is cut off while sending never sees the answer.
        content = content + part if size <= MOST else bytearray()
    if size > MOST:
        raise HTTPException(TOO_LARGE, f"{size} bytes, at most {MOST} are taken")
    try:
        said = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadData("what was sent is no object of JSON")
    return said


def _jpeg(picture: Callable[[str], bytes | None]) -> Endpoint:
    async def endpoint(request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.exceptions import HTTPException
        from starlette.responses import Response

        content = await run_in_threadpool(picture, request.path_params["number"])
        if content is None:
            raise HTTPException(MISSING, "there is no picture of this number")
        return Response(content, media_type="image/jpeg")

    return endpoint


def _file(
    path: Callable[[], Path | None], media_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Endpoint:
    async def endpoint(_: "Request") -> "Response":
        from starlette.exceptions import HTTPException
        from starlette.responses import FileResponse

        found = path()
        if found is None or not found.is_file():
            raise HTTPException(MISSING, "it is not there yet")
        return FileResponse(found, headers=headers, media_type=media_type, filename=found.name if media_type else None)

    return endpoint


async def _plotly(_: "Request") -> "Response":
    """For the curves: it comes with the package, so that no network is needed."""
    from plotly.offline import get_plotlyjs
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    return Response(await run_in_threadpool(get_plotlyjs), media_type="text/javascript")


async def _problem(_: "Request", error: Any) -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse(problem(error), NO_ROOM if isinstance(error, OutputNotWritten) else WRONG)
