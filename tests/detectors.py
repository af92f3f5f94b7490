"""Detectors for tests: the five that wheels have, and the palm detector of 2019 with random weights."""

from functools import cache
from typing import Any

import pytest

import converter
from converter.graph import Model
from fixtures.blazepalm_file import blaze_palm_file
from tests import models

PALM_2019 = "palm_2019"
DETECTORS = (
    "palm_detection_lite",
    "palm_detection_full",
    "face_detection_short_range",
    "face_detection_full_range_sparse",
    "pose_detection",
    PALM_2019,
)

# The same, most of them in `tox -e parity` only, so that the other environments stay fast.
FAST = ("palm_detection_full", "face_detection_short_range")
MOST_IN_PARITY = [name if name in FAST else pytest.param(name, marks=pytest.mark.parity) for name in DETECTORS]


@cache
def detector_file(name: str) -> Model:
    """The file."""
    return converter.read(blaze_palm_file()) if name == PALM_2019 else models.original(name)


@cache
def detector(name: str) -> Any:
    """The Keras model, for tests that do not change it."""
    return converter.convert(detector_file(name))
