"""Labels into a `.tflite` file: standard TFLite metadata, and the label file behind the model."""

import json
from collections.abc import Sequence

import numpy as np

from converter import detectors
from converter.detectors.labels import EXTRA, Labels, own_labels
from converter.detectors.table import Detector
from converter.errors import BadDetector, CannotExport
from converter.tflite import metadata
from converter.tflite.edit import Editable
from converter.tflite.flatbuffer import Fields
from converter.tflite.model import Graph
from converter.tflite.reader import read

FILE = "labels.txt"
LOCATION, SCORE, OBJECTNESS = "location", "score", "objectness"
DESCRIPTIONS = {
    LOCATION: "Box and keypoints of every anchor, in pixels, relative to it.",
    SCORE: "Logits of the classes.",
    OBJECTNESS: "Logit of every anchor: whether anything is there.",
}
WHITE = 255


def with_labels(data: bytes, labels: Labels | None) -> bytes:
    """The file with these labels instead of those that it has.

    Args:
        data: A `.tflite` file: a detector, or what classifies a region that a detector has found.
        labels: Of its classes; None: what it has stays as it is.

    Returns:
        The same bytes if it has these labels already.

    Raises:
        CannotExport: It has no output with so many classes.
    """
    if labels is None or own_labels(model := read(data)) == labels:
        return data
    file = Editable(memoryview(data))
    kept = []
    for entry in file.model.metadata or []:
        if entry.name.decode(errors="replace") in (metadata.NAME, EXTRA):
            file.model.buffers[entry.buffer].data = None
        else:
            kept.append(entry)
    file.model.metadata = kept
    extra = {"detector": labels.detector, "original": labels.original}
    root = _root(model.graphs[0], labels)
    for name, content in ((metadata.NAME, metadata.pack_metadata(root)), (EXTRA, json.dumps(extra).encode())):
        entry, buffer = file.schema.MetadataT(), file.schema.BufferT()
        entry.name, entry.buffer = name.encode(), len(file.model.buffers)
        buffer.data = np.frombuffer(content, np.uint8)
        file.model.buffers.append(buffer)
        file.model.metadata.append(entry)
    return metadata.append(file.pack(), {FILE: "".join(f"{name}\n" for name in labels.names).encode()})


def detector_of(graph: Graph, labels: Labels) -> Detector | None:
    """What the tensors of a labelled model mean, as far as that is known."""
    taken, given = ([graph.tensors[index].shape[1:] for index in ends] for ends in (graph.inputs, graph.outputs))
    try:
        return detectors.for_shapes(taken[0], given)
    except BadDetector:
        return next((detector for detector in detectors.known() if detector.name == labels.detector), None)


def roles(graph: Graph, classes: int, detector: Detector | None) -> list[str]:
    """What each output is: `LOCATION`, `SCORE` (which the labels are for) or `OBJECTNESS`.

    Raises:
        CannotExport: None is the score of so many classes.
    """
    values = [graph.tensors[index].shape[-1] if graph.tensors[index].shape else 0 for index in graph.outputs]
    made = [SCORE] * len(values)
    if len(values) > 1 and detector and detector.coordinates in values:
        made[values.index(detector.coordinates)] = LOCATION
    if made.count(SCORE) > 1 and 1 in values:
        made[values.index(1)] = OBJECTNESS
    if [value for value, role in zip(values, made, strict=True) if role == SCORE] != [classes]:
        raise CannotExport(
            f"there are {classes} labels, but the model gives {_spelled(graph)}: no output has so many classes",
            hint="one label per class, in their order",
        )
    return made


def _spelled(graph: Graph) -> str:
    return ", ".join("×".join(map(str, graph.tensors[index].shape)) for index in graph.outputs)


def _root(graph: Graph, labels: Labels) -> Fields:
    detector, classes = detector_of(graph, labels), ", ".join(labels.names)
    source = f" Made from {labels.original}." if labels.original else ""
    return {
        "name": f"{labels.detector or (detector.name if detector else 'detector')}: {classes}",
        "description": f"Tells apart: {classes}.{source}",
        "subgraph_metadata": [
            {
                "input_tensor_metadata": [_input(detector)] * len(graph.inputs),
                "output_tensor_metadata": [_output(role, labels) for role in roles(graph, len(labels.names), detector)],
            }
        ],
        "min_parser_version": metadata.PARSER,
    }


def _input(detector: Detector | None) -> Fields:
    properties = {"": "ImageProperties", "color_space": metadata.RGB}
    made = {"name": "image", "description": "A picture.", "content": {"content_properties": properties}}
    if detector is None:
        return made
    mean, std = normalization(detector.range)
    return made | {"process_units": [{"options": {"": "NormalizationOptions", "mean": [mean], "std": [std]}}]}


def normalization(value_range: Sequence[float]) -> tuple[float, float]:
    """Mean and deviation with which bytes come into a range: (byte - mean) / deviation."""
    low, high = value_range
    std = WHITE / (high - low)
    return 0.0 - low * std, std  # 0, not -0


def _output(role: str, labels: Labels) -> Fields:
    made: Fields = {"name": role, "description": DESCRIPTIONS[role]}
    if role == SCORE:
        file = {"name": FILE, "description": "Names of the classes.", "type": metadata.AXIS_LABELS}
        made["associated_files"] = [file]
        if labels.threshold is not None:
            options = {"": "ScoreThresholdingOptions", "global_score_threshold": labels.threshold}
            made["process_units"] = [{"options": options}]
    return made
