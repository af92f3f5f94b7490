"""A detector as a graph for MediaPipe 0.10.21, in its text format: from a picture to detections with their labels.

Sources: MediaPipe's published graphs and the options of its calculators, Apache-2.0.
"""

import json
from dataclasses import replace
from pathlib import Path

from converter.detectors.labels import Labels
from converter.detectors.table import Detector
from converter.errors import CannotExport
from converter.tflite.model import Graph
from converter.write.labels import LOCATION, SCORE, detector_of, roles

SUFFIX = ".pbtxt"
INPUT = """
node {{
  calculator: "ImageToTensorCalculator"
  input_stream: "IMAGE:image"
  output_stream: "TENSORS:input"
  output_stream: "LETTERBOX_PADDING:padding"
  options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{
    output_tensor_width: {width} output_tensor_height: {height} keep_aspect_ratio: true border_mode: BORDER_ZERO
    output_tensor_float_range {{ min: {low} max: {high} }}
  }} }}
}}
"""
INFER = """\
node {{
  calculator: "InferenceCalculatorCpu"
  input_stream: "TENSORS:{input}"
  output_stream: "TENSORS:{output}"
  options {{ [mediapipe.InferenceCalculatorOptions.ext] {{ model_path: "{path}" delegate {{ {delegate} {{}} }} }} }}
}}
"""
ANCHORS = """
node {{
  calculator: "SsdAnchorsCalculator"
  output_side_packet: "anchors"
  options {{ [mediapipe.SsdAnchorsCalculatorOptions.ext] {{
    num_layers: {layers} min_scale: 0.1484375 max_scale: 0.75
    input_size_height: {height} input_size_width: {width} anchor_offset_x: 0.5 anchor_offset_y: 0.5
    {strides} aspect_ratios: 1.0 interpolated_scale_aspect_ratio: {interpolated} fixed_anchor_size: true
  }} }}
}}
"""
DECODE = """
node {{
  calculator: "TensorsToDetectionsCalculator"
  input_stream: "TENSORS:raw"
  input_side_packet: "ANCHORS:anchors"
  output_stream: "DETECTIONS:decoded"
  options {{ [mediapipe.TensorsToDetectionsCalculatorOptions.ext] {{
    num_classes: {classes} num_boxes: {boxes} num_coords: {coordinates} box_coord_offset: 0
    keypoint_coord_offset: 4 num_keypoints: {keypoints} num_values_per_keypoint: 2
    sigmoid_score: true score_clipping_thresh: 100.0 reverse_output_order: true
    x_scale: {width} y_scale: {height} w_scale: {width} h_scale: {height} min_score_thresh: {min_score}{mapping}
  }} }}
}}
node {{
  calculator: "NonMaxSuppressionCalculator"
  input_stream: "decoded"
  output_stream: "suppressed"
  options {{ [mediapipe.NonMaxSuppressionCalculatorOptions.ext] {{
    min_suppression_threshold: {threshold} overlap_type: INTERSECTION_OVER_UNION algorithm: WEIGHTED
  }} }}
}}
"""
FRAME = """\
# Runs {path} in MediaPipe 0.10.21: IMAGE, an ImageFrame, to DETECTIONS. Nothing detected is no packet.
# model_path is relative to MediaPipe's resource folder.
input_stream: "IMAGE:image"
output_stream: "DETECTIONS:detections"
"""
# Where the logits are the first output.
REVERSED = " tensor_mapping { detections_tensor_index: 1 scores_tensor_index: 0 }"
OUTPUT = """
node {{
  calculator: "DetectionLabelIdToTextCalculator"
  input_stream: "suppressed"
  output_stream: "labelled"
  options {{ [mediapipe.DetectionLabelIdToTextCalculatorOptions.ext] {{
{labels}
  }} }}
}}
node {{
  calculator: "DetectionLetterboxRemovalCalculator"
  input_stream: "DETECTIONS:labelled"
  input_stream: "LETTERBOX_PADDING:padding"
  output_stream: "DETECTIONS:detections"
}}
"""
LABEL = "    label_items {{ key: {number} value {{ name: {name} }} }}"


def labelled_graph(path: Path, graph: Graph, labels: Labels) -> str | None:
    """The graph that runs a labelled detector.

    Args:
        path: The `.tflite` file; MediaPipe shall look for its name.
        graph: What is in it.
        labels: Of its classes; their threshold is the graph's.

    Returns:
        Text; None for what is no detector but classifies regions.

    Raises:
        CannotExport: MediaPipe has no calculator for such outputs.
    """
    if len(graph.outputs) == 1:
        return None
    detector = detector_of(graph, labels)
    if detector is None:
        raise CannotExport(f"{path.name}: nothing says what its tensors mean")
    outputs = roles(graph, len(labels.names), detector)
    if sorted(outputs) != [LOCATION, SCORE]:
        raise CannotExport(f"{path.name} gives {', '.join(outputs)}; MediaPipe's decoder takes {LOCATION} and {SCORE}")
    if labels.threshold is not None:
        detector = replace(detector, min_score=labels.threshold)
    low, high = detector.range
    names = "\n".join(LABEL.format(number=number, name=_quoted(name)) for number, name in enumerate(labels.names))
    return (
        FRAME.format(path=path.name)
        + INPUT.format(low=low, high=high, height=detector.height, width=detector.width)
        + INFER.format(input="input", output="raw", path=_quoted(path.name)[1:-1], delegate="xnnpack")
        + decoding(detector, len(labels.names), logits_first=outputs[0] == SCORE)
        + OUTPUT.format(labels=names)
    )


def decoding(detector: Detector, classes: int = 1, *, logits_first: bool = False) -> str:
    """The nodes from the stream `raw`, a model's tensors, to the stream `suppressed`."""
    strides = " ".join(f"strides: {stride}" for stride in detector.strides)
    size = {"height": detector.height, "width": detector.width}
    return ANCHORS.format(
        layers=len(detector.strides), strides=strides, interpolated=detector.interpolated_ratio, **size
    ) + DECODE.format(
        classes=classes,
        boxes=detector.boxes,
        coordinates=detector.coordinates,
        keypoints=len(detector.keypoints),
        min_score=detector.min_score,
        threshold=detector.min_suppression_threshold,
        mapping=REVERSED if logits_first else "",
        **size,
    )


def _quoted(text: str) -> str:
    """As JSON quotes text, the format does."""
    return json.dumps(text, ensure_ascii=False)
