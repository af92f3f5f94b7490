"""A palm detector with three classes that have names; the second one scores most."""

from typing import Any

import numpy as np

from converter.detectors.labels import Labels
from converter.surgery.heads import replace_classes
from tests.tools import models

LABELS = Labels(("fist", "palm", 'víctory "x"'), 0.42, "palm", "palm_detection_full")
BEST, RAISED = 1, 0.5


def _detector(design: Any) -> Any:
    made = replace_classes(models.shared("palm_detection_full"), len(LABELS.names), design)
    prefix = "class_classifier_palm" if design == "gated" else "classifier_palm"
    for layer in made.layers:
        if layer.name.startswith(prefix) and layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, bias + RAISED * (np.arange(len(bias)) % len(LABELS.names) == BEST)])
    made.labels = LABELS
    return made


# Design → the detector.
detector = models.Shared(_detector)
