"""`unlite zoo`: what it prints."""

import json

import pytest

from tests import models
from tests.commands import run

pytestmark = pytest.mark.one_setting


def test_list_of_known_models(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "zoo", "list")
    assert code == 0
    assert set(models.NAMES) <= set(out.split())
    assert run(capsys, "zoo")[1] == out


@pytest.mark.parametrize("arguments", [["zoo", "--json"], ["zoo", "list", "--json"], ["zoo", "--json", "list"]])
def test_as_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *arguments)
    rows = json.loads(out)
    assert (code, sorted(row["name"] for row in rows)) == (0, models.NAMES)
    assert {row["licence"] for row in rows} == {"Apache-2.0"}


def test_fetch_prints_where_the_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    path = models.path("hand_recrop")
    assert run(capsys, "zoo", "fetch", "hand_recrop") == (0, f"{path}\n", "")
