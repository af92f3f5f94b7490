"""What a single-shot detector's tensors mean: the settings of MediaPipe's graphs, and tables of one's own."""

from converter.detectors.labels import Labels, read_labels
from converter.detectors.table import Detector, anchors, find, for_shapes, known, read_detectors

__all__ = ["Detector", "Labels", "anchors", "find", "for_shapes", "known", "read_detectors", "read_labels"]
