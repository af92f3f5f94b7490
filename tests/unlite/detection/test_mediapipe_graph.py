"""The graph for MediaPipe as text; `test_mediapipe.py` runs it."""

from dataclasses import replace
from pathlib import Path

import pytest

import converter
from converter.detectors.labels import Labels
from converter.errors import CannotExport
from converter.write.writer import write
from fixtures.builder import Builder
from tests.tools import models
from tests.tools.labelled import LABELS, detector
from unlite.detection.mediapipe_graph import labelled_graph

pytestmark = pytest.mark.one_setting
FILE, PALM = Path("folder/three.tflite"), "palm_detection_full"


def test_says_what_mediapipe_needs() -> None:
    graph = converter.read(write(models.original(PALM), detector("joint"))).graph
    text = labelled_graph(FILE, graph, LABELS)
    assert text
    for part in (
        "num_classes: 3 num_boxes: 2016 num_coords: 18",
        "min_score_thresh: 0.42\n",
        'model_path: "three.tflite"',
        'key: 2 value { name: "víctory \\"x\\"" }',
    ):
        assert part in text
    assert "min_score_thresh: 0.5\n" in (labelled_graph(FILE, graph, replace(LABELS, threshold=None)) or "")


def test_outputs_that_mediapipe_cannot_decode_are_refused() -> None:
    gated = converter.read(write(models.original(PALM), detector("gated"))).graph
    with pytest.raises(
        CannotExport, match=r"three.tflite gives location, objectness, score; MediaPipe's decoder takes"
    ):
        labelled_graph(FILE, gated, LABELS)
    b = Builder()
    x = b.input((1, 6, 6))
    other = b.build([b.op("RELU", [x], [(1, 6, 6)])[0], x])
    with pytest.raises(CannotExport, match="nothing says what its tensors mean"):
        labelled_graph(FILE, converter.read(other).graph, Labels(("a", "b")))


def test_what_classifies_regions_needs_none() -> None:
    b = Builder()
    graph = converter.read(b.build(b.op("RELU", [b.input((1, 3))], [(1, 3)]))).graph
    assert labelled_graph(FILE, graph, LABELS) is None
