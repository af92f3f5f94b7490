"""Detectors for tests: the five that wheels have, and the palm detector of 2019 with random weights."""

from functools import cache
from typing import Any

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


@cache
def detector_file(name: str) -> Model:
    """The file."""
    return converter.read(blaze_palm_file()) if name == PALM_2019 else models.original(name)


@cache
def detector(name: str) -> Any:
    """The Keras model, for tests that do not change it."""
    return converter.convert(detector_file(name))
