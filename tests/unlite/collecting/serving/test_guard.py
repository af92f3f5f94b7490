"""Who may speak to the server of `unlite collect`, and who may not."""

import pytest

from tests.tools.server import Server

pytestmark = pytest.mark.one_setting

ELSEWHERE = "https://elsewhere.example"


def test_page_with_its_address_is_let_in(server: Server) -> None:
    page = server.ask("")
    assert page.status == 200
    assert b"Pictures stay on this computer" in page.content
    assert server.ask("state", headers={"Host": server.host.replace("127.0.0.1", "localhost")}).status == 200
    assert server.ask("trust", {"ids": []}).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/state", "//state", "/{wrong}/state", "/{token}x/", "/{short}/", "/live", "/x/{token}/"]
)
def test_address_without_its_secret_is_refused(server: Server, path: str) -> None:
    wrong = server.token.swapcase()
    answer = server.ask(path.format(token=server.token, wrong=wrong, short=server.token[:-1]))
    assert answer.status == 403
    assert server.token.encode() not in answer.content


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "elsewhere.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "", None]
)
def test_name_that_somebody_has_pointed_here_is_refused(server: Server, host: str | None) -> None:
    """DNS rebinding: a page from elsewhere, whose name suddenly means this machine."""
    given = host and host.format(port=server.host.rpartition(":")[2])
    answer = server.ask("state", headers={"Host": given, "Origin": f"http://{given}"})
    assert answer.status in {400, 403}
    assert b"folder" not in answer.content


@pytest.mark.parametrize(
    "origin",
    [ELSEWHERE, "null", "", "http://127.0.0.1", "https://{host}", "http://{host}.elsewhere.example", "file://", None],
)
@pytest.mark.parametrize("path", ["strike", "labels", "train", "export"])
def test_other_pages_can_tell_it_nothing(server: Server, path: str, origin: str | None) -> None:
    given = origin and origin.format(host=server.host)
    assert server.ask(path, {"name": "theirs", "effort": "quick"}, {"Origin": given}).status == 403
    assert "theirs" not in str(server.ask("state").json)
    assert server.ask("job").json["state"] == "idle"


def test_other_pages_can_ask_it_nothing(server: Server) -> None:
    assert server.ask("state", headers={"Origin": ELSEWHERE}).status == 403
    answer = server.ask(
        "state", headers={"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}, method="OPTIONS"
    )
    assert answer.status == 403
    assert not [name for name in server.ask("state").headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("ws://{host}/{token}/live", ELSEWHERE),
        ("ws://{host}/{token}/live", None),
        ("ws://{host}/live", "http://{host}"),
        ("ws://{host}/{wrong}/live", "http://{host}"),
        ("ws://elsewhere.example:{port}/{token}/live", "http://elsewhere.example:{port}"),
    ],
)
def test_camera_of_another_page_is_refused(server: Server, uri: str, origin: str | None) -> None:
    from websockets.exceptions import InvalidStatus

    known = {"host": server.host, "token": server.token, "wrong": "x" * 32, "port": server.host.rpartition(":")[2]}
    given = {"uri": uri.format(**known), "origin": origin and origin.format(**known)}
    with pytest.raises(InvalidStatus) as refused, server.live(**given, sock=server.connect()):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["", "state", "page/main.js", "plotly.js", "missing"])
def test_browser_is_told_to_keep_it_all_here(server: Server, path: str) -> None:
    headers = server.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
    assert "http" not in policy  # nothing from elsewhere
    assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
