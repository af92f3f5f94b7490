"""`unlite zoo`: what it prints."""

import json

import pytest

from tests.tools import models
from tests.tools.commands import output, run

pytestmark = pytest.mark.one_setting


def test_list_of_known_models(capsys: pytest.CaptureFixture[str]) -> None:
    out = output(capsys, "zoo", "list")
    assert set(models.NAMES) <= set(out.split())
    assert run(capsys, "zoo")[1] == out


@pytest.mark.parametrize("arguments", [["zoo", "--json"], ["zoo", "list", "--json"], ["zoo", "--json", "list"]])
def test_as_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(output(capsys, *arguments))
    assert sorted(row["name"] for row in rows) == models.NAMES
    assert {row["licence"] for row in rows} == {"Apache-2.0"}


def test_fetch_prints_where_the_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    path = models.path("hand_recrop")
    assert run(capsys, "zoo", "fetch", "hand_recrop") == (0, f"{path}\n", "")
