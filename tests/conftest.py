"""What holds for every test."""

import os
import sys
from collections.abc import Iterator

import pytest

from tests.kernels import SETTINGS


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kernels`."""
    text = "run what compares numbers with other kernels than this machine's own (see tests/kernels.py)"
    parser.addoption("--kernels", choices=sorted(SETTINGS), help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything that has kernels is imported; processes that tests start inherit it."""
    os.environ.pop("FORCE_COLOR", None)  # what makes tox's or CI's output coloured would put escapes into results
    os.environ.update(SETTINGS.get(config.getoption("kernels"), {}))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With other kernels, all but what no kernel has a part in."""
    if config.getoption("kernels"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("one_setting")])
        items[:] = [item for item in items if not item.get_closest_marker("one_setting")]


@pytest.fixture(autouse=True)
def shared_models_stay_as_they_are() -> Iterator[None]:
    """A test that changes a model that others read as well is told so, instead of making those fail."""
    yield
    models = sys.modules.get("tests.models")  # most tests need none
    changed = [name for lender in models.LENDERS for name in lender.take_back()] if models else []
    assert not changed, f"this test changed {', '.join(map(str, changed))}, which other tests share: take models.fresh"
