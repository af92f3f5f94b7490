"""The parity suite: one test per model and layer, so that a failure says which layer broke.

tox -e parity -- -k palm_detection_full
"""

from functools import cache
from typing import Any

import pytest

import converter
import parity
from converter.networks import network_of_blueprint
from parity.layerwise import LayerResult, ParityReport
from parity.reports import parity_text
from tests import models
from tests.networks import TRANSFERS, original, transferred

pytestmark = pytest.mark.parity

MODELS = [*models.NAMES, *TRANSFERS]


def file_of(name: str) -> Any:
    """The original: a published file, or the one that a hand-written model belongs to."""
    return original(name) if name in TRANSFERS else models.original(name)


@cache
def outcome_of(name: str) -> ParityReport:
    """One comparison per model, for all its tests."""
    candidate = transferred(name)[0] if name in TRANSFERS else models.converted(name)
    return parity.layers(file_of(name), candidate)


def layers_of(name: str) -> list[str]:
    """Names of the file's layers, in execution order; the position makes them unique."""
    network = network_of_blueprint(converter.blueprint(file_of(name).graph))
    return [f"{position:03}-{node.name}" for position, node in enumerate(network.nodes)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "layer" in metafunc.fixturenames:
        cases = [pytest.param(name, layer, id=f"{name}-{layer}") for name in MODELS for layer in layers_of(name)]
        metafunc.parametrize(("name", "layer"), cases)


def test_layer(name: str, layer: str) -> None:
    outcome = outcome_of(name)
    found: LayerResult = outcome.layers[int(layer.partition("-")[0])]
    assert found.pair
    assert found.pair.ours
    assert found.pair.ours.name == layer.partition("-")[2]
    for mode in (found.isolated, found.chained):
        assert mode, "not compared"
        assert mode.ok, f"{found.layer}: {mode}\n\n{parity_text(outcome)}"


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.ok, parity_text(outcome)
    assert outcome.findings == ()
    assert outcome.notes == ()
