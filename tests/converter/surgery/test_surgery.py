"""What must stay equal when a model gets another input, or plain ReLUs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import converter
from converter import detectors
from converter.errors import CannotChange, CannotExport
from converter.surgery.activations import swap_activation
from converter.surgery.inputs import resize_input, widen_input
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.runtimes import Array, Run, keras_runner
from tests.tools import models
from tests.tools.lazy import keras, layers
from tests.tools.networks import assert_agrees
from tests.tools.spread import assert_bit_equal, assert_within_spread, mapped, right_runs, right_runs_of


def picture(model: Any, channels: int | None = None, seed: int = 0) -> np.ndarray:
    _, *extents, own = model.input_shape
    return np.random.default_rng(seed).uniform(-1, 1, (1, *extents, channels or own)).astype(np.float32)


def run(model: Any, x: np.ndarray) -> list[np.ndarray]:
    return keras_runner(model)([x])


def assert_exports(name: str, model: Any) -> None:
    """Spliced into the original's graph, it computes the same in LiteRT."""
    with pytest.raises(CannotExport, match="allow_changes=True"):
        write(models.original(name), model)
    data = write(models.original(name), model, "float32", allow_changes=True)
    assert_agrees(data, model, seeds=1)
    assert converter.convert(data).output_shape == model.output_shape


@pytest.mark.every_setting
@pytest.mark.parametrize("name", models.most_in_parity([*models.NAMES, models.PALM_2019]))
def test_new_input_channels_change_nothing(name: str) -> None:
    """Their kernels are zero, everything else is as it was, and so outputs are, whatever the new channel holds."""
    model = models.shared(name)
    new = widen_input(model, 4)
    assert_only_wider(new, model)
    right = right_runs_of(name)
    for extra in (0.0, 1.0, -7.5):
        assert_within_spread(with_channel(new, extra), right, seeded_inputs(models.original(name).graph, 1))


def with_channel(model: Any, value: float) -> Run:
    """A run of a model that is one channel wider than its inputs."""
    return lambda inputs: keras_runner(model)([np.pad(inputs[0], [(0, 0)] * 3 + [(0, 1)], constant_values=value)])


def assert_only_wider(new: Any, model: Any) -> None:
    """Weights are bit-equal but for new slices of kernels, and those are zero."""
    assert [layer.name for layer in new.layers] == [layer.name for layer in model.layers]
    wider = 0
    for old, now in zip(model.get_weights(), new.get_weights(), strict=True):
        if now.shape == old.shape:
            np.testing.assert_array_equal(now, old)
        else:
            wider += 1
            np.testing.assert_array_equal(now[:, :, : old.shape[2]], old)
            assert not now[:, :, old.shape[2] :].any()
    assert wider > 0


def test_new_input_channels_can_learn() -> None:
    new = widen_input(models.shared("face_detection_short_range"), 5)
    first = next(layer for layer in new.layers if layer.weights)
    kernel, bias = first.get_weights()
    kernel[:, :, 4] = 1
    first.set_weights([kernel, bias])
    a, b = picture(new), picture(new, seed=1)
    b[..., :4] = a[..., :4]
    assert any(np.abs(x - y).max() > 0 for x, y in zip(run(new, a), run(new, b), strict=True))


@pytest.mark.parametrize("name", models.most_in_parity(models.DETECTORS))
def test_wider_detectors_export(name: str) -> None:
    assert_exports(name, widen_input(models.shared(name), 4))


@pytest.mark.parametrize("name", ["palm_detection_full", "palm_detection_lite"])
def test_relus_for_prelus(name: str) -> None:
    model = models.shared(name)
    swap = swap_activation(model)
    assert not any(isinstance(layer, layers.PReLU) for layer in swap.model.layers)
    assert [each.layer for each in swap.layers] == [x.name for x in model.layers if isinstance(x, layers.PReLU)]
    # Every other layer has its weights, bit for bit.
    for layer in model.layers:
        if layer.weights and not isinstance(layer, layers.PReLU):
            assert_bit_equal(swap.model.get_layer(layer.name).get_weights(), layer.get_weights())
    # And so what comes before the first exchange is bit-equal.
    first = swap.layers[0].layer
    x = picture(model)
    ends = [keras.Model(m.inputs, m.get_layer(name).input) for m, name in ((model, first), (swap.model, "re_lu"))]
    np.testing.assert_array_equal(run(ends[0], x)[0], run(ends[1], x)[0])
    assert all(each.loss > 0 for each in swap.layers if each.exact < each.channels)
    assert all(loss > 0 for loss in swap.losses.values())
    assert_exports(name, swap.model)
    kinds = [op.kind for op in converter.read(write(models.original(name), swap.model, allow_changes=True)).graph.ops]
    assert "PRELU" not in kinds
    assert "RELU" not in kinds  # part of the operator before it


def test_exchange_is_exact_where_alpha_is_zero() -> None:
    model = models.fresh("palm_detection_lite")
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


@pytest.mark.parametrize("name", models.most_in_parity(models.DETECTORS))
def test_another_input_size(name: str) -> None:
    model = models.shared(name)
    _, height, width, channels = model.input_shape
    known = detectors.for_shapes((height, width, channels), [s[1:] for s in model.output_shape])
    new = resize_input(model, height - 64, width + 64)
    resized = replace(known, height=height - 64, width=width + 64)
    assert new.input_shape == (None, height - 64, width + 64, channels)
    assert new.output_shape == [(None, resized.boxes, known.coordinates), (None, resized.boxes, 1)]
    assert_bit_equal(new.get_weights(), model.get_weights())
    assert_exports(name, new)
    # There and back: the same model.
    back, x = resize_input(new, height, width), picture(model)
    assert_bit_equal(run(back, x), run(model, x))


def test_a_cell_sees_the_same_on_a_larger_picture() -> None:
    """A picture with black around it: cells far from the seam compute what they did. Their anchors follow."""
    name = "face_detection_short_range"
    model, file = models.shared(name), models.original(name)
    new = resize_input(model, 256, 256)

    def cells(made: list[Array], extent: int) -> Array:
        """Regressors of the finer feature map."""
        return made[0][:, : 2 * extent**2].reshape(len(made[0]), extent, extent, -1)

    def in_a_corner(inputs: Sequence[Array]) -> list[Array]:
        return keras_runner(new)([np.pad(inputs[0], [(0, 0), (0, 128), (0, 128), (0, 0)])])

    # The first cell does not see as far as the seam; other kernels for other extents round otherwise.
    right = [mapped(run, lambda made: [cells(made, 16)[:, 0, 0]]) for run in right_runs_of(name)]
    inputs = seeded_inputs(file.graph, 1)
    assert_within_spread(mapped(in_a_corner, lambda made: [cells(made, 32)[:, 0, 0]]), right, inputs)
    before, after = cells(run(model, inputs[0][0]), 16), cells(in_a_corner(inputs[0]), 32)[:, :16, :16]
    assert np.abs(after[0, -1, -1] - before[0, -1, -1]).max() > 1e-3 * np.ptp(before)  # the last one does


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: widen_input(models.shared("pose_detection"), 3), "has 3 input channels already"),
        (lambda: widen_input(_two_inputs(), 4), "takes 2 inputs, expected one"),
        (lambda: widen_input(_flat(), 4), r"flatten.* reads the input, and is no convolution"),
        (lambda: swap_activation(models.shared("pose_detection")), "has no PReLU"),
        (lambda: resize_input(_flat(), 16, 16), r"flatten.* is made for"),
        (lambda: resize_input(models.shared("pose_detection"), 0, 64), "0×64 pixels make no picture"),
        (lambda: resize_input(models.shared("iris_landmark"), 128, 128), "covers all 2×2 cells"),
        (lambda: resize_input(models.shared("selfie_segmentation"), 512, 512), "covers all 64×64 cells"),
        (lambda: resize_input(models.shared("palm_detection_full"), 200, 200), "Keras refuses it after the change"),
        (lambda: resize_input(models.shared("hand_recrop"), 512, 512), "StridedSlice"),
        (lambda: resize_input(models.shared("hand_landmark_full"), 256, 256), "global_average_pooling2d covers all"),
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
    assert_only_wider(wide, model)
    file = converter.read(write(None, model))
    assert_within_spread(with_channel(wide, 1.0), right_runs(model, file), seeded_inputs(file.graph, 1))
    assert len(swap_activation(model).layers) == 2


def _through() -> Any:
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, [layers.ReLU()(inputs), layers.Conv2D(4, 1)(inputs)])


def _flat() -> Any:
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
