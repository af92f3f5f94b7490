"""What the server of `unlite collect` answers: to its page, and to whoever wants to harm it."""

import io
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.tools.server import LABELS, Server
from tests.tools.staged import jpeg
from unlite.collecting.files import OWN
from unlite.collecting.serving.app import MOST as LARGEST_BODY
from unlite.collecting.serving.app import PAGE
from unlite.collecting.serving.server import MOST as CONNECTIONS

pytestmark = pytest.mark.one_setting

FILES = sorted(path.name for path in PAGE.iterdir())
# A request to a place of its own, which none of the page's files may make; names of XML's languages are none.
ELSEWHERE = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w{2,}|@import|url\(""")


def keep(server: Server, label: str, seed: int, *scores: float) -> str:
    """Show a picture to the camera, and give its number."""
    with server.live() as page:
        page.send(json.dumps({"hold": label}))
        page.send(jpeg(seed, *scores))
        answer = json.loads(page.recv())
    assert answer["verdict"] == "kept", answer
    until(lambda: server.ask("pictures").json["pictures"])
    return str(answer["id"])


def until(holds: Any) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def counts(server: Server) -> dict[str, int]:
    return {each["name"]: each["count"] for each in server.ask("state").json["labels"]}


@pytest.mark.parametrize("name", FILES)
def test_page_comes_whole_and_asks_for_nothing_from_elsewhere(server: Server, name: str) -> None:
    answer = server.ask("" if name == "index.html" else f"page/{name}")
    assert answer.content == (PAGE / name).read_bytes()
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
    assert answer.headers["content-type"].startswith(kinds[Path(name).suffix])
    assert not ELSEWHERE.search(answer.content.decode())


@pytest.mark.parametrize(
    "text", ['<script src="//cdn.example.org/x.js">', 'fetch("https://example.org")', "url(x.png)"]
)
def test_what_asks_for_something_elsewhere_is_seen(text: str) -> None:
    assert ELSEWHERE.search(text)


def test_contact_sheet_strikes_moves_and_trusts(server: Server) -> None:
    before = counts(server)
    first, second = keep(server, "fist", 1, 0.9), keep(server, "fist", 2, 0.3)
    rows = server.ask("pictures?label=fist").json["pictures"]
    assert [row["id"] for row in rows] == [second, first]
    assert rows[0]["doubt"] == "hardly seen (0.30)"
    assert rows[1]["boxes"][0]["box"] == [0.25, 0.25, 0.5, 0.5]
    assert [row["id"] for row in server.ask("pictures?doubtful=1").json["pictures"]] == [second]
    assert server.ask(f"pictures?before={second}&count=1").json["pictures"][0]["id"] == first
    assert server.ask(f"picture/{first}").content == jpeg(1, 0.9)
    with Image.open(io.BytesIO(server.ask(f"thumb/{first}").content)) as thumbnail:
        assert max(thumbnail.size) <= 240
    server.ask("trust", {"ids": [second]})
    assert server.ask("pictures?doubtful=1").json["pictures"] == []
    server.ask("move", {"ids": [first], "label": "palm"})
    assert counts(server) == {**before, "fist": before["fist"] + 1, "palm": before["palm"] + 1}
    server.ask("strike", {"ids": [first, second]})
    assert counts(server) == before
    assert len(server.ask("unstrike", {}).json["ids"]) == 2
    assert len(list((server.root / "palm").glob("*.jpg"))) == before["palm"] + 1


def test_labels_are_added_and_persons_named(server: Server) -> None:
    assert server.ask("labels", {"name": " thumbs up "}).json["labels"][-1]["name"] == "thumbs up"
    assert (server.root / "thumbs up").is_dir()
    assert server.ask("person", {"name": "anna"}).json["person"] == "anna"
    assert server.ask("person", {"name": ""}).json["person"] == ""


# The last two are as good as any for a person.
HARMFUL = [
    "../up",
    "a/b",
    "..",
    "<img src=x onerror=alert(1)>",
    "a\x00b",
    "x" * 41,
    "train",
    5,
    None,
    ["a"],
    "",
    "FIST",
]


@pytest.mark.parametrize(
    ("what", "name"), [*(("labels", name) for name in HARMFUL), *(("person", name) for name in HARMFUL[:-2])]
)
def test_name_that_could_do_harm_is_refused(server: Server, what: str, name: object) -> None:
    before, folders = server.ask("state").json, sorted(server.root.parent.rglob("*"))
    answer = server.ask(what, {"name": name})
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json["error"]
    after = server.ask("state").json
    assert (after["labels"], after["person"]) == (before["labels"], before["person"])
    assert sorted(server.root.parent.rglob("*")) == folders


@pytest.mark.parametrize(
    "path",
    [
        *("page/../app.py", "page/%2e%2e/serving/app.py", "page/..%2fserving%2fapp.py", "page//etc/passwd", "page/"),
        *(
            "page/....//serving/app.py",
            "page/%00",
            "page/..\\serving\\app.py",
            "../../etc/passwd",
            "%2e%2e/%2e%2e/etc/passwd",
        ),
        *(
            "picture/../../annotations.json",
            "picture/..%2f..%2fannotations.json",
            "picture/fist",
            "picture/-1",
            "picture/1e3",
        ),
        *("picture/99999", f"picture/{'9' * 400}", "picture/%D9%A3", "thumb/0", "report", "model.tflite", "nothing"),
    ],
)
def test_paths_lead_to_nothing_else(server: Server, path: str) -> None:
    answer = server.ask(path)
    assert answer.status in {400, 403, 404}
    for secret in (b"def application", b"root:", b'"images"', server.token.encode()):
        assert secret not in answer.content


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"no JSON",
            b"[]",
            b"5",
            b'{"ids": 5}',
            b'{"ids": [{}]}',
            b'{"ids": ["-1"]}',
            b'{"ids": [1e400]}',
            b"\xff\xfe",
        ),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"ids": [' + b"9" * 5000 + b"]}", b'{"ids": [NaN]}'),
    ],
)
@pytest.mark.parametrize("path", ["strike", "move", "trust"])
def test_nonsense_is_refused_and_changes_nothing(server: Server, path: str, body: bytes) -> None:
    before = counts(server)
    answer = server.ask(path, body)
    assert answer.status == 400
    assert answer.json["error"]
    assert counts(server) == before


@pytest.mark.parametrize(
    ("path", "method"), [("state", "POST"), ("strike", "GET"), ("picture/1", "DELETE"), ("", "PUT"), ("live", "GET")]
)
def test_other_methods_are_refused(server: Server, path: str, method: str) -> None:
    assert server.ask(path, b"" if method != "GET" else None, method=method).status in {404, 405}


def test_upload_of_a_gigabyte_is_refused_and_not_kept(server: Server) -> None:
    before, part = server.memory(), bytes(1 << 20)
    with server.connect() as connection:
        head = f"POST /{server.token}/labels HTTP/1.1\r\nHost: {server.host}\r\nOrigin: http://{server.host}\r\n"
        connection.sendall(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())
        for _ in range(1 << 10):
            connection.sendall(part)
        assert connection.recv(64).startswith(b"HTTP/1.1 413")
    assert server.memory() - before < 32 << 20
    assert server.ask("trust", bytes(LARGEST_BODY + 1)).status == 413
    assert server.ask("trust", b" " * LARGEST_BODY).status == 400  # which is read, and is no JSON


def test_hundred_connections_at_once(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(server.connect())
        time.sleep(0.2)
        refused = server.ask("state")
        assert (refused.status, CONNECTIONS) == (503, 64)
    until(lambda: server.ask("state").status == 200)
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: server.ask("state").status, range(200)))
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_connections_that_say_nothing_or_break_off_do_no_harm(server: Server) -> None:
    for said in (
        b"",
        b"GET / HT",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
        b"\x00" * 100_000,
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        with server.connect() as connection:
            connection.sendall(said)


def test_disk_that_takes_nothing_is_told_and_nothing_is_lost(server: Server) -> None:
    number, before = keep(server, "palm", 50, 0.9), counts(server)
    half = server.root / OWN / "half"
    shutil.rmtree(half)
    half.touch()  # where everything is written first
    for path, said in (
        ("strike", {"ids": [number]}),
        ("move", {"ids": [number], "label": "fist"}),
        ("train", {"effort": "quick"}),
    ):
        answer = server.ask(path, said)
        assert answer.status == 507
        assert str(server.root) in answer.json["error"]
    with server.live() as page:
        page.send(json.dumps({"hold": "palm"}))
        page.send(jpeg(51, 0.9))
        assert "error" in json.loads(page.recv())
    assert counts(server) == before
    half.unlink()
    keep(server, "palm", 52, 0.9)
    until(lambda: counts(server)["palm"] == before["palm"] + 1)


def test_server_listens_on_this_machine_alone(server: Server) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{int(server.host.rpartition(':')[2]):04X}"
    assert {row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"} == {f"0100007F:{port}"}
    assert set(LABELS) <= set(counts(server))
