"""What must stay equal when a model gets another input, or plain ReLUs."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import converter
import parity
from converter import detectors
from converter.errors import CannotChange, CannotExport
from converter.surgery import resize_input, swap_activation, widen_input
from converter.writer import write
from parity.runners import keras_runner
from tests import models
from tests.detectors import DETECTORS, MOST_IN_PARITY, detector, detector_file

RNG = np.random.default_rng(0)
NO_DETECTORS = [pytest.param(name, marks=pytest.mark.parity) for name in models.NAMES if name not in DETECTORS]


def picture(model: Any, channels: int | None = None) -> np.ndarray:
    _, *extents, own = model.input_shape
    return RNG.uniform(-1, 1, (1, *extents, channels or own)).astype(np.float32)


def run(model: Any, x: np.ndarray) -> list[np.ndarray]:
    return keras_runner(model)([x])


def assert_exports(name: str, model: Any) -> None:
    """Spliced into the original's graph, it computes the same in LiteRT."""
    with pytest.raises(CannotExport, match="--allow-changes"):
        write(detector_file(name), model)
    data = write(detector_file(name), model, "float32", allow_changes=True)
    verification = parity.verify(data, model, seeds=1)
    assert verification.ok, verification.as_dict()
    assert converter.convert(data).output_shape == model.output_shape


@pytest.mark.parametrize("name", [*MOST_IN_PARITY, *NO_DETECTORS])
def test_new_input_channels_change_nothing(name: str) -> None:
    """Outputs are bit-equal whatever the new channel holds."""
    model = detector(name) if name in DETECTORS else models.converted(name)
    new = widen_input(model, 4)
    x = picture(model, 4)
    for extra in (0.0, 1.0, -7.5):
        x[..., 3] = extra
        for before, after in zip(run(model, x[..., :3]), run(new, x), strict=True):
            np.testing.assert_array_equal(after, before)


def test_new_input_channels_can_learn() -> None:
    new = widen_input(detector("face_detection_short_range"), 5)
    first = next(layer for layer in new.layers if layer.weights)
    kernel, bias = first.get_weights()
    kernel[:, :, 4] = 1
    first.set_weights([kernel, bias])
    a, b = picture(new), picture(new)
    b[..., :4] = a[..., :4]
    assert any(np.abs(x - y).max() > 0 for x, y in zip(run(new, a), run(new, b), strict=True))


@pytest.mark.parametrize("name", MOST_IN_PARITY)
def test_wider_detectors_export(name: str) -> None:
    assert_exports(name, widen_input(detector(name), 4))


@pytest.mark.parametrize("name", ["palm_detection_full", "palm_detection_lite"])
def test_relus_for_prelus(name: str) -> None:
    model = detector(name)
    swap = swap_activation(model)
    assert not any(isinstance(layer, layers.PReLU) for layer in swap.model.layers)
    assert [each.layer for each in swap.layers] == [x.name for x in model.layers if isinstance(x, layers.PReLU)]
    # Every other layer has its weights, bit for bit.
    for layer in model.layers:
        if layer.weights and not isinstance(layer, layers.PReLU):
            for a, b in zip(layer.get_weights(), swap.model.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
    # And so what comes before the first exchange is bit-equal.
    first = swap.layers[0].layer
    x = picture(model)
    ends = [keras.Model(m.inputs, m.get_layer(name).input) for m, name in ((model, first), (swap.model, "re_lu"))]
    np.testing.assert_array_equal(run(ends[0], x)[0], run(ends[1], x)[0])
    assert all(each.loss > 0 for each in swap.layers if each.exact < each.channels)
    assert all(loss > 0 for loss in swap.losses.values())
    assert_exports(name, swap.model)
    kinds = [op.kind for op in converter.read(write(detector_file(name), swap.model, allow_changes=True)).graph.ops]
    assert "PRELU" not in kinds
    assert "RELU" not in kinds  # part of the operator before it


def test_exchange_is_exact_where_alpha_is_zero() -> None:
    model = converter.convert(detector_file("palm_detection_lite"))
    prelus = [layer for layer in model.layers if isinstance(layer, layers.PReLU)]
    for layer in prelus:
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    swap = swap_activation(model)
    assert all((each.exact, each.loss) == (each.channels, 0) for each in swap.layers)
    assert set(swap.losses.values()) == {0.0}
    alpha = np.zeros_like(prelus[3].get_weights()[0])
    alpha[..., 5] = 0.25
    prelus[3].set_weights([alpha])
    swap = swap_activation(model)
    assert [each.layer for each in swap.layers if each.loss] == [prelus[3].name]
    assert swap.layers[3].exact == swap.layers[3].channels - 1


@pytest.mark.parametrize("name", MOST_IN_PARITY)
def test_another_input_size(name: str) -> None:
    model = detector(name)
    _, height, width, channels = model.input_shape
    known = detectors.for_shapes((height, width, channels), [s[1:] for s in model.output_shape])
    new = resize_input(model, height - 64, width + 64)
    resized = replace(known, height=height - 64, width=width + 64)
    assert new.input_shape == (None, height - 64, width + 64, channels)
    assert new.output_shape == [(None, resized.boxes, known.coordinates), (None, resized.boxes, 1)]
    for a, b in zip(model.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert_exports(name, new)
    # There and back: the same model.
    back, x = resize_input(new, height, width), picture(model)
    for before, after in zip(run(model, x), run(back, x), strict=True):
        np.testing.assert_array_equal(after, before)


def test_a_cell_sees_the_same_on_a_larger_picture() -> None:
    """A picture with black around it: cells far from the seam compute what they did. Their anchors follow."""
    model = detector("face_detection_short_range")
    new = resize_input(model, 256, 256)
    x = picture(model)
    wide = np.zeros((1, 256, 256, 3), np.float32)
    wide[:, :128, :128] = x
    before, after = run(model, x)[0][0, :512], run(new, wide)[0][0, : 4 * 512]
    before, after = before.reshape(16, 16, -1), after.reshape(32, 32, -1)[:16, :16]
    # The first cell does not see as far as the seam; other kernels for other extents round otherwise.
    np.testing.assert_allclose(after[0, 0], before[0, 0], rtol=0, atol=1e-6 * np.ptp(before))
    assert np.abs(after[-1, -1] - before[-1, -1]).max() > 1e-3 * np.ptp(before)  # the last one does


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: widen_input(detector("pose_detection"), 3), "has 3 input channels already"),
        (lambda: widen_input(_two_inputs(), 4), "takes 2 inputs, expected one"),
        (lambda: widen_input(_flat(), 4), r"flatten.* reads the input, and is no convolution"),
        (lambda: swap_activation(detector("pose_detection")), "has no PReLU"),
        (lambda: resize_input(_flat(), 16, 16), r"flatten.* is made for"),
        (lambda: resize_input(detector("pose_detection"), 0, 64), "0×64 pixels make no picture"),
        (lambda: resize_input(models.converted("iris_landmark"), 128, 128), "covers all 2×2 cells"),
        (lambda: resize_input(models.converted("selfie_segmentation"), 512, 512), "covers all 64×64 cells"),
        (lambda: resize_input(detector("palm_detection_full"), 200, 200), "Keras refuses it after the change"),
        (lambda: resize_input(models.converted("hand_recrop"), 512, 512), "StridedSlice"),
        (lambda: resize_input(models.converted("hand_landmark_full"), 256, 256), "global_average_pooling2d covers all"),
        (lambda: widen_input(_through(), 4), "would reach an output"),
    ],
)
def test_what_cannot_be_changed(change: Any, message: str) -> None:
    with pytest.raises(CannotChange, match=message):
        change()


def _two_inputs() -> Any:
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([a, b], layers.Add()([a, b]))


def test_losses_of_a_model_with_named_outputs() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.PReLU(alpha_initializer="ones", name="last")(layers.Conv2D(4, 1)(inputs))
    model = keras.Model(inputs, {"zz": x, "b": layers.Conv2D(4, 1)(inputs), "zero": layers.ReLU(max_value=0.0)(x)})
    swap = swap_activation(model)
    assert sorted(swap.losses.values()) == [0, 0, swap.layers[0].loss]
    assert swap.layers[0].loss > 0


def test_a_layer_that_is_called_twice_stays_one() -> None:
    inputs = keras.Input((16, 16, 3))
    shared, activation = layers.Conv2D(4, 3, padding="same", name="shared"), layers.PReLU(shared_axes=[1, 2], name="a")
    ends = [activation(shared(inputs)), activation(shared(layers.ZeroPadding2D(1)(inputs)))]
    model = keras.Model(inputs, ends)
    wide = widen_input(model, 4)
    assert sum(isinstance(layer, layers.Conv2D) for layer in wide.layers) == 1
    x = picture(model, 4)
    for before, after in zip(run(model, x[..., :3]), run(wide, x), strict=True):
        np.testing.assert_array_equal(after, before)
    assert len(swap_activation(model).layers) == 2


def _through() -> Any:
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, [layers.ReLU()(inputs), layers.Conv2D(4, 1)(inputs)])


def _flat() -> Any:
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
