"""A third opinion: tf2onnx reads the `.tflite` files with code that is not ours, ONNX Runtime has kernels of its own.

tox -e parity -- -m onnx -k third_opinion
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converter.tflite.variants import builtin_only
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.outputs.compare import Verdict
from parity.outputs.verification import agreement, kernel_errors
from parity.runners.reference import Reference
from parity.runners.runtimes import Array, OnnxRuntime, Run, keras_runner
from tests.tools import models
from tests.tools.files import change, first_kernel

pytestmark = [
    pytest.mark.onnx,
    pytest.mark.one_setting,  # ONNX Runtime's kernels cannot be chosen
    pytest.mark.filterwarnings("ignore"),  # tf2onnx still uses TensorFlow's old interpreter
]

# tf2onnx has no operator for MediaPipe's, and leaves them in the graph under these names.
CUSTOM = {
    "face_landmark_with_attention": {
        f"TFL_{kind}" for kind in ("Landmarks2TransformMatrix", "TransformLandmarks", "TransformTensorBilinear")
    },
    "selfie_segmentation": {"TFL_Convolution2DTransposeBias"},
    "selfie_segmentation_landscape": {"TFL_Convolution2DTransposeBias"},
}
# A known fault of tf2onnx 1.17: it takes the values that a sparse constant stores for all that it has. The first
# such constant's stored values and shape:
SPARSE = {"face_detection_full_range_sparse": (77, "(8,1,1,32)"), "pose_detection": (96, "(16,1,1,24)")}


def as_tf2onnx_reads(data: bytes, folder: Path) -> bytes:
    import tf2onnx

    path = folder / "model.tflite"
    path.write_bytes(data)
    made, _ = tf2onnx.convert.from_tflite(str(path))
    return bytes(made.SerializeToString())


def readable_by_tf2onnx(name: str) -> bytes:
    """The published file; where tf2onnx cannot read that, the same with dense weights, or the builtin operator."""
    original = models.original(name)
    if name in SPARSE:  # its weights have then gone through our decoder
        return write(original, models.shared(name))
    return builtin_only(original.data) if name in CUSTOM else bytes(original.data)


def one_by_one(run: Run) -> Run:
    """tf2onnx fixes the batch to the file's."""

    def each(inputs: Sequence[Array]) -> list[Array]:
        runs = [run([values[i : i + 1] for values in inputs]) for i in range(len(inputs[0]))]
        return [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]

    return each


def dissent(name: str, data: bytes, model: Any, seeds: int = 1) -> dict[str, list[str]]:
    """Outputs in which the ONNX file does not agree with LiteRT, and with the Keras model.

    The bar for both is what LiteRT's kernels allow: it says nothing about the Keras model, which is in question here.
    """
    original = models.original(name)
    reference, run = Reference(original), one_by_one(OnnxRuntime(data).run)
    names = [original.graph.tensors[index].name for index in original.graph.outputs]
    inputs = seeded_inputs(original.graph, seeds)
    known, errors = (reference.plain, reference.xnnpack), kernel_errors(data, names)
    comparisons = agreement(names, inputs, run, known, otherwise=reference.nudged, kernel_errors=errors)
    together = [np.concatenate(values) for values in zip(*inputs, strict=True)]
    ours, theirs = keras_runner(model)(together), run(together)
    return {
        "LiteRT": [c.name for c in comparisons if c.verdict is not Verdict.OK],
        "Keras": [
            c.name
            for c, a, b in zip(comparisons, ours, theirs, strict=True)
            if a.shape != b.shape or not np.abs(a - b).max() <= c.limit  # a NaN is not
        ],
    }


@pytest.mark.parametrize("name", models.NAMES)
def test_third_opinion(name: str, tmp_path: Path, subtests: pytest.Subtests) -> None:
    published, readable = bytes(models.original(name).data), readable_by_tf2onnx(name)
    data = b""
    with subtests.test("tf2onnx takes the published file, or fails as it is known to"):
        if name in SPARSE:
            count, shape = SPARSE[name]
            with pytest.raises(ValueError, match=f"cannot reshape array of size {count} into shape") as failure:
                as_tf2onnx_reads(published, tmp_path)
            assert str(failure.value).endswith(shape)
        else:
            data = as_tf2onnx_reads(published, tmp_path)
            nodes = onnx.load_from_string(data).graph.node
            assert {n.op_type for n in nodes if not onnx.defs.has(n.op_type, n.domain)} == CUSTOM.get(name, set())
    if name == "face_landmark_with_attention":
        return  # LiteRT cannot run its custom ops, nor ONNX Runtime
    with subtests.test("all three agree"):
        data = data if readable == published else as_tf2onnx_reads(readable, tmp_path)
        assert dissent(name, data, models.shared(name), seeds=8) == {"LiteRT": [], "Keras": []}


def scaled(values: Array) -> Array:
    """Too large by a hundredth."""
    return values * np.float32(1.01)


def test_third_opinion_can_dissent(tmp_path: Path) -> None:
    name = "face_detection_short_range"
    both = [models.original(name).graph.tensors[index].name for index in models.original(name).graph.outputs]
    data, model = as_tf2onnx_reads(readable_by_tf2onnx(name), tmp_path), models.fresh(name)
    hurt = onnx.load_from_string(data)
    change(first_kernel(hurt), scaled)
    assert dissent(name, hurt.SerializeToString(), model) == {"LiteRT": both, "Keras": both}

    layer = model.get_layer("conv2d_5")
    right = layer.get_weights()
    layer.set_weights([scaled(values) for values in right])
    assert dissent(name, data, model) == {"LiteRT": [], "Keras": both}
    layer.set_weights([np.full_like(values, np.nan) for values in right])
    assert dissent(name, data, model) == {"LiteRT": [], "Keras": both}
