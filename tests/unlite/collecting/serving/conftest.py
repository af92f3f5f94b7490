"""A server that all tests of it share: whatever they do to it, the next one finds it well."""

from collections.abc import Iterator

import pytest

from tests.tools.server import Server, staged_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with staged_server(tmp_path_factory.mktemp("server") / "set") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    assert running.is_well()
