"""The parity suite: one test per model, one subtest per layer, so that a failure says which layer broke.

tox -e parity -- -k "test_every_layer and palm_detection_full"
"""

from typing import Any

import pytest

import converter
import parity
from converter.match.canonical import network_of_blueprint
from converter.tflite.model import Model
from parity.report.text import parity_text
from tests.tools import models, networks

pytestmark = pytest.mark.parity


def file_and_candidate(name: str) -> tuple[Model, Any]:
    """A published file and its conversion, or a hand-written model and the file whose weights it has."""
    if name in networks.TRANSFERS:
        return networks.original(name), networks.shared(name)
    return models.original(name), models.shared(name)


@pytest.mark.every_setting
@pytest.mark.parametrize("name", [*models.NAMES, *networks.TRANSFERS])
def test_every_layer(name: str, subtests: pytest.Subtests) -> None:
    file, candidate = file_and_candidate(name)
    outcome = parity.layers(file, candidate)
    with subtests.test("the whole model"):
        assert outcome.ok, parity_text(outcome)
        assert outcome.findings == ()
        assert outcome.notes == ()
    nodes = network_of_blueprint(converter.blueprint(file.graph)).nodes
    for position, (node, found) in enumerate(zip(nodes, outcome.layers, strict=True)):
        with subtests.test(f"{position:03}-{node.name}"):
            assert found.match
            assert found.match.ours
            assert found.match.ours.name == node.name
            for mode in (found.isolated, found.chained):
                assert mode, "not compared"
                assert mode.ok, f"{found.layer}: {mode}"
