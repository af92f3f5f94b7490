"""The camera's frames on their way: what is answered, and what a page cannot do."""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.server import LABELS, Server
from tests.tools.staged import jpeg
from unlite.collecting.serving.live import MOST, TOO_MANY
from unlite.collecting.serving.server import LARGEST

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

pytestmark = pytest.mark.one_setting


def answers(server: Server, *sent: Any) -> list[Any]:
    """What frames are answered; anything else but bytes is said as JSON."""
    with server.live() as page:
        for each in sent:
            page.send(each if isinstance(each, (bytes, str)) else json.dumps(each))
        return [json.loads(page.recv()) for each in sent if isinstance(each, bytes)]


def exchange(page: "ClientConnection", frame: bytes) -> Any:
    page.send(frame)
    return json.loads(page.recv())


def test_frames_are_answered_in_their_order(server: Server) -> None:
    scores = [0.9, 0.7, 0.5, 0.8, 0.6, 0.4]
    made = answers(server, *(jpeg(seed, score) for seed, score in enumerate(scores)))
    assert [each["found"][0]["score"] for each in made] == pytest.approx(scores, abs=0.02)
    assert {each["verdict"] for each in made} == {None}
    assert all(each["ms"] >= 0 for each in made)


def test_only_what_is_held_is_kept(server: Server) -> None:
    frames = [jpeg(100 + seed, 0.9) for seed in range(5)]
    made = answers(server, frames[0], {"hold": "fist"}, frames[1], frames[1], jpeg(110), {"hold": ""}, frames[2])
    verdicts = [each["verdict"] for each in made]
    assert (verdicts[0], sorted(verdicts[1:3]), *verdicts[3:]) == (None, ["copy", "kept"], "nothing", None)
    assert (made[-1]["dropped"]["copy"], made[-1]["dropped"]["nothing"]) >= (1, 1)
    # Another page holds nothing because this one does.
    assert answers(server, frames[3])[0]["verdict"] is None


def test_nothing_is_trained_yet_so_trying_shows_the_detector(server: Server) -> None:
    (made,) = answers(server, {"trying": True}, jpeg(1, 0.9))
    assert "label" not in made["found"][0]


@pytest.mark.parametrize(
    "said",
    ["no JSON", "[]", "5", "null", '{"hold": {"a": 1}}', '{"hold": "thumb"}', '{"hold": "../x"}', "[" * 100_000, ""],
)
def test_nonsense_holds_nothing(server: Server, said: str) -> None:
    before = sorted(server.root.rglob("*.jpg"))
    first, second = answers(server, said, jpeg(1, 0.9), {"hold": ""}, jpeg(2, 0.9))
    assert first.get("verdict") is None
    assert second["verdict"] is None
    assert sorted(server.root.rglob("*.jpg")) == before


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff", jpeg(1)[:300], bytes(LARGEST - 100)])
def test_frame_that_is_no_jpeg_is_told_and_the_next_one_is_seen(server: Server, content: bytes) -> None:
    first, second = answers(server, {"hold": "fist"}, content, {"hold": ""}, jpeg(1, 0.9))
    assert "no JPEG" in first["error"]
    assert second["found"]


def test_frame_that_is_too_large_ends_the_connection_alone(server: Server) -> None:
    from websockets.exceptions import ConnectionClosed

    before = server.memory()
    with server.live() as page, pytest.raises(ConnectionClosed) as closed:
        exchange(page, bytes(LARGEST + 1))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert server.memory() - before < 64 << 20


def test_few_pages_have_a_camera_at_once(server: Server) -> None:
    from websockets.exceptions import ConnectionClosed

    with ExitStack() as stack:
        pages = [stack.enter_context(server.live()) for _ in range(MOST)]
        for page in pages:
            page.send(jpeg(1, 0.9))
            assert json.loads(page.recv())["found"]
        with server.live() as another, pytest.raises(ConnectionClosed) as closed:
            another.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == TOO_MANY
        assert "close one of them" in closed.value.rcvd.reason
    assert answers(server, jpeg(1, 0.9))[0]["found"]  # there is room again


def test_page_that_never_reads_its_answers_holds_up_nobody(server: Server) -> None:
    with server.live(max_queue=1, close_timeout=0.1) as silent:
        for seed in range(40):
            silent.send(jpeg(seed, 0.9))
        assert len(answers(server, *(jpeg(seed, 0.9) for seed in range(5)))) == 5


def test_labels_with_markup_come_back_as_text(server: Server) -> None:
    (made,) = answers(server, {"hold": "<script>alert(1)</script>"}, jpeg(1, 0.9))
    assert "there is no label" in made["error"]
    assert set(LABELS) <= {each["name"] for each in server.ask("state").json["labels"]}
