"""All known models in MediaPipe 0.10.21 itself against the Keras models; `tox -e mediapipe` runs this."""

import numpy as np
import pytest

from fixtures.mediapipe_runtime import run
from parity.inputs import seeded_inputs
from parity.outputs.compare import Verdict, compare
from parity.runners.reference import Reference
from parity.runners.runtimes import keras_runner
from tests.tools.models import NAMES, original, path, shared


@pytest.mark.mediapipe
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_mediapipe(name: str) -> None:
    graph = original(name).graph
    outputs = [graph.tensors[index] for index in graph.outputs]
    inputs = seeded_inputs(graph, seeds=8)
    sizes = [tensor.size for tensor in outputs]
    plain, xnnpack = (
        [run(path(name), values, sizes, delegate) for values in inputs] for delegate in ("tflite", "xnnpack")
    )
    # More kernels that are right by definition: two alone may nearly agree by chance (selfie_segmentation_landscape,
    # where MediaPipe's two are 1.4e-6 apart, and its plain ones 3.4e-6 from LiteRT's plain ones).
    reference = Reference(original(name))
    others = [xnnpack]
    if not reference.unchecked:
        others += [[litert(values) for values in inputs] for litert in (reference.plain, reference.xnnpack)]
    keras_run = keras_runner(shared(name))
    made = [np.concatenate(outputs) for outputs in zip(*(keras_run(values) for values in inputs), strict=True)]
    for i, tensor in enumerate(outputs):
        truth, *rest = (
            np.stack([output[i].ravel() for output in outputs]).reshape(made[i].shape) for outputs in (plain, *others)
        )
        farthest = rest[int(np.argmax([np.abs(values - truth).max() for values in rest]))]
        comparison = compare(tensor.name, made[i], truth, farthest)
        assert comparison.verdict is Verdict.OK, comparison
