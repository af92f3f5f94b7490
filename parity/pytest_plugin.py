"""`assert_parity` as a fixture: part of every pytest run where unlite is installed.

Example::

    def test_my_model(assert_parity):
        assert_parity("palm_detection_full.tflite", build_my_model())
"""

from typing import TYPE_CHECKING

import pytest

import parity

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.layerwise.results import ParityReport


@pytest.fixture(scope="session", name="assert_parity")
def fixture_assert_parity() -> "Callable[..., ParityReport]":
    """See `parity.assert_parity`."""
    return parity.assert_parity
