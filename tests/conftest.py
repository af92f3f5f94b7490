"""What holds for every test."""

import os
import sys
from collections.abc import Iterator

import pytest

from tests.tools.kernels import SETTINGS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Other kernels, and fewer models."""
    text = "run what compares numbers with other kernels than this machine's own (see tests/tools/kernels.py)"
    parser.addoption("--kernels", choices=sorted(SETTINGS), help=text)
    text = "where a test is there for every model, run it for those that stand for the others; --kernels does, too"
    parser.addoption("--representatives", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything that has kernels is imported; processes that tests start inherit it."""
    os.environ.pop("FORCE_COLOR", None)  # what makes tox's or CI's output coloured would put escapes into results
    os.environ.update(SETTINGS.get(config.getoption("kernels"), {}))
    if hasattr(config, "workerinput"):  # each has a core: PyTorch's threads would wait for each other's
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--kernels` and `--representatives` say."""
    kernels, few = config.getoption("kernels"), config.getoption("representatives")
    left_out = {
        item
        for item in items
        if (kernels and item.get_closest_marker("one_setting")) or ((kernels or few) and _is_one_of_many(item))
    }
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_one_of_many(item: pytest.Item) -> bool:
    """Whether it is about a model that another stands for."""
    from tests.tools.models import DETECTORS, NAMES, REPRESENTATIVES

    parameters = getattr(item, "callspec", None)
    name = parameters.params.get("name") if parameters else None
    is_model = name in NAMES or name in DETECTORS
    return is_model and name not in REPRESENTATIVES and not item.get_closest_marker("every_setting")


@pytest.fixture(autouse=True)
def shared_models_stay_as_they_are() -> Iterator[None]:
    """A test that changes a model that others read as well is told so, instead of making those fail."""
    yield
    models = sys.modules.get("tests.tools.models")  # most tests need none
    changed = [name for lender in models.LENDERS for name in lender.take_back()] if models else []
    assert not changed, f"this test changed {', '.join(map(str, changed))}, which other tests share: take models.fresh"
