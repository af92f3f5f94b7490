"""Other classes for a detector: the new branches give what they should, and everything else is untouched."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import converter
from converter.detectors.table import Detector
from converter.errors import BadHead
from converter.match.trace import keras_network
from converter.surgery.head import find_head
from converter.surgery.heads import DESIGNS, PRIOR, REGION, region_classifier, replace_classes
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.reference import Reference
from parity.runners.runtimes import Run, keras_runner
from tests.tools import models
from tests.tools.lazy import keras, layers, ops
from tests.tools.networks import TRANSFERS, assert_agrees, randomized, transferred
from tests.tools.spread import Inputs, assert_bit_equal, assert_within_spread, mapped, right_runs, right_runs_of
from unlite.detection.pipeline import regressors_and_logits

CLASSES, FACE = models.CLASSES, "face_detection_short_range"
REPLACING: list[Any] = [design for design in DESIGNS if design != "two_stage"]


def outputs(model: Any, seed: int = 0) -> list[np.ndarray]:
    x = np.random.default_rng(seed).uniform(-1, 1, (1, *model.input_shape[1:])).astype(np.float32)
    return keras_runner(model)([x])


def logits_last(made: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All six detectors give regressors first."""
    assert made[0].shape[-1] > made[1].shape[-1]
    return list(made)


def assert_logits_within_spread(new: Any, right: Sequence[Run], inputs: Inputs, classes: list[int]) -> None:
    """The logits are those of the `classes` that the model had, summed in a kernel for other channels."""
    expected = [mapped(run, lambda made: [made[1][..., classes]]) for run in right]
    assert_within_spread(mapped(keras_runner(new), lambda made: [made[1]]), expected, inputs)


@pytest.mark.parametrize("design", REPLACING)
@pytest.mark.parametrize("name", models.DETECTORS)
def test_everything_but_the_classes_is_bit_equal(name: str, design: Any) -> None:
    new, right = models.with_classes((name, design)), right_runs_of(name)
    inputs = seeded_inputs(models.original(name).graph, 1)
    before, after = logits_last(right[0](inputs[0])), keras_runner(new)(inputs[0])
    # Bit for bit here and below: what has not changed runs in the same kernels on the same shapes.
    np.testing.assert_array_equal(after[0], before[0])
    if design == "gated":
        np.testing.assert_array_equal(after[1], before[1])
        assert after[2].shape == (*before[1].shape[:2], CLASSES)
        assert not after[2].any()  # every class equally likely
    else:
        assert_logits_within_spread(new, right, inputs, classes=[0] * CLASSES)


@pytest.mark.parametrize("design", REPLACING)
@pytest.mark.parametrize("name", models.most_in_parity(models.DETECTORS))
def test_exported_and_reloaded_still_so(name: str, design: Any) -> None:
    file = models.original(name)
    data = write(file, models.with_classes((name, design)))
    np.testing.assert_array_equal(outputs(converter.convert(data))[0], outputs(models.shared(name))[0])
    inputs, kept = seeded_inputs(file.graph, 1)[0], 2 if design == "gated" else 1
    for kernels in ("plain", "xnnpack"):
        old, new = (getattr(Reference(each), kernels)(inputs) for each in (file, converter.read(data)))
        assert_bit_equal(new[:kept], old[:kept])


def branches_that_train(new: Any, design: str) -> int:
    """How many convolutions give a detector's fresh logits."""
    if design == "tower":
        return len([layer for layer in new.layers if layer.name.startswith("tower_logits")])
    return 0 if design == "gated" else len(find_head(keras_network(new)).branches)


@pytest.mark.parametrize("design", REPLACING)
@pytest.mark.parametrize("name", models.most_in_parity(models.DETECTORS))
def test_fresh_heads_agree_in_litert_and_start_with_few_objects(name: str, design: Any) -> None:
    file = models.original(name)
    new = replace_classes(models.shared(name), CLASSES, design, start="fresh")
    assert_agrees(write(file, new, "float32"), new, seeds=1)
    made = outputs(new)[-1]
    assert made.std() > 0
    biases = [layer.get_weights()[-1] for layer in new.layers if layer.weights]
    priors = [bias for bias in biases if np.allclose(1 / (1 + np.exp(-bias)), PRIOR)]
    assert len(priors) == branches_that_train(new, design)


@pytest.mark.parametrize("name", TRANSFERS)
def test_hand_written_models(name: str) -> None:
    model, _ = transferred(name)
    new = replace_classes(model, CLASSES)
    before, after = outputs(model), outputs(new)
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1].shape[-1] == CLASSES


def test_model_within_a_model() -> None:
    inner = models.shared(FACE)
    inputs = keras.Input(inner.input_shape[1:])
    model = keras.Model(inputs, inner(inputs))
    new = replace_classes(model, 3)
    np.testing.assert_array_equal(outputs(new)[0], outputs(inner)[0])


def test_the_old_model_is_not_touched() -> None:
    model = models.fresh(FACE)
    before = [w.copy() for w in model.get_weights()]
    new = replace_classes(model, CLASSES)
    assert new.name == model.name
    for variable in new.weights:
        variable.assign(ops.zeros_like(variable))
    assert_bit_equal(model.get_weights(), before)


@pytest.mark.parametrize("design", REPLACING)
def test_sharing_layers_gives_the_same_model(design: Any) -> None:
    model = models.shared(FACE)  # whoever changes it is found out
    own, shared = (replace_classes(model, CLASSES, design, share=share) for share in (False, True))
    assert not {id(weight) for weight in own.weights} & {id(weight) for weight in model.weights}
    assert 0 < len({id(weight) for weight in shared.weights} - {id(weight) for weight in model.weights}) < 60
    assert [layer.name for layer in shared.layers] == [layer.name for layer in own.layers]
    assert [weight.shape for weight in shared.weights] == [weight.shape for weight in own.weights]
    if design in ("joint", "gated"):  # the others draw weights
        assert write(models.original(FACE), shared) == write(models.original(FACE), own)


def test_further_classes_start_as_the_first_and_old_ones_stay() -> None:
    first = replace_classes(models.shared(FACE), 2, start="fresh")
    for seed, layer in enumerate(layer for layer in first.layers if layer.name.startswith("classificator_")):
        rng = np.random.default_rng(seed)
        layer.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()])
    second = replace_classes(first, 4)
    file = converter.read(write(None, first))
    assert_logits_within_spread(second, right_runs(first, file), seeded_inputs(file.graph, 1), classes=[0, 1, 0, 0])
    assert outputs(replace_classes(first, 1))[1].shape == (1, 896, 1)


def test_saved_and_loaded(tmp_path: Any) -> None:
    for design in REPLACING:
        new = replace_classes(models.shared("face_detection_full_range_sparse"), 3, design)
        converter.save(new, tmp_path / "new.keras")
        assert_bit_equal(outputs(converter.load(tmp_path / "new.keras")), outputs(new))


def test_branches_by_name() -> None:
    """A detector that nobody knows, whose regressors have no telling number of values."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(inputs)
    ends = [layers.Reshape((-1, k))(layers.Conv2D(2 * k, 1, name=n)(x)) for n, k in (("boxes", 5), ("objects", 1))]
    model = keras.Model(inputs, ends)
    with pytest.raises(BadHead, match=r"no detection head.*\nhint: .*branches="):
        replace_classes(model, 3)
    new = replace_classes(model, 3, branches=["objects"])
    before, after = outputs(model), outputs(new)
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1].shape == (1, 128, 3)


def test_region_classifier() -> None:
    classifier = replace_classes(models.shared("palm_detection_full"), CLASSES, "two_stage")
    assert classifier.input_shape == (None, REGION, REGION, 3)
    assert not outputs(classifier)[0].any()
    fresh = region_classifier(CLASSES, "fresh")
    assert_agrees(write(None, fresh), fresh)


def two_branches(tail: Any, *, shared: bool = False, as_dict: bool = False) -> Any:
    """A detector of 32 anchors with two branches; `tail` is what stands behind their convolutions."""
    inputs = keras.Input((16, 16, 3))
    conv = layers.Conv2D(1, 1, name="objects", use_bias=False)
    maps = [layers.Conv2D(6, 4, strides=4, activation="relu")(inputs) for _ in range(2)]
    logits = [
        layers.Reshape((-1, 1))(tail(number)((conv if shared else layers.Conv2D(1, 1, name=f"objects_{number}"))(x)))
        for number, x in enumerate(maps)
    ]
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(4, 1)(x)) for x in maps]
    ends = [layers.Concatenate(axis=1)(each) for each in (boxes, logits)]
    return randomized(keras.Model(inputs, dict(zip(("boxes", "scores"), ends, strict=True)) if as_dict else ends))


def depthwise(_: int) -> Any:
    return layers.DepthwiseConv2D(3, padding="same", use_bias=False)


def with_norm(_: int) -> Any:
    return lambda x: layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))


def one_of_two(number: int) -> Any:
    return depthwise(number) if number else layers.Identity()


SMALL = Detector("small", 16, 16, (4, 4), 0.0, 0.5)


@pytest.mark.parametrize("design", REPLACING)
@pytest.mark.parametrize("tail", [depthwise, with_norm, one_of_two, lambda _: layers.Dropout(0.5)])
def test_start_whatever_stands_behind_the_convolution(tail: Any, design: Any) -> None:
    model = two_branches(tail)
    assert SMALL.boxes == 32
    before = outputs(model)
    new = replace_classes(model, 3, design, detector=SMALL)
    old = outputs(new)
    np.testing.assert_array_equal(old[0], before[0])
    if design == "gated":
        np.testing.assert_array_equal(old[1], before[1])
        assert not old[2].any()
    else:
        file = converter.read(write(None, model))
        assert_logits_within_spread(new, right_runs(model, file), seeded_inputs(file.graph, 1), classes=[0, 0, 0])
        fresh = replace_classes(model, 3, design, detector=SMALL, start="fresh")
        for layer in fresh.layers:  # all features zero: what is left is the prior
            if layer.name.startswith(("conv2d", "tower_gather")):
                layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
        # Batch normalization that has seen nothing yet divides by the root of 1.001.
        np.testing.assert_allclose(1 / (1 + np.exp(-outputs(fresh)[1])), PRIOR, rtol=0.01)


@pytest.mark.parametrize("tail", [depthwise, with_norm, one_of_two])
def test_class_logits_that_start_at_zero_learn(tail: Any) -> None:
    new = replace_classes(two_branches(tail), 3, "gated", detector=SMALL)
    x, optimizer = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32), keras.optimizers.SGD(0.1)
    wanted = np.random.default_rng(1).normal(size=(4, 32, 3)).astype(np.float32)
    new.compile(optimizer, loss=[None, None, "mse"])
    new.fit(x, [np.zeros((4, 32, 4)), np.zeros((4, 32, 1)), wanted], epochs=3, verbose=0)
    kernels = [layer.get_weights()[0] for layer in new.layers if layer.name.startswith("class_") and layer.weights]
    assert kernels
    assert all(kernel.any() for kernel in kernels)


def test_frozen_model_gets_a_head_that_learns() -> None:
    model = two_branches(depthwise)
    model.trainable = False
    for design in REPLACING:
        new = replace_classes(model, 3, design, detector=SMALL)
        trainable = {layer.name for layer in new.layers if layer.trainable_variables}
        assert trainable
        assert all(any(part in name for part in ("objects", "depthwise", "tower")) for name in trainable)


@pytest.mark.parametrize("design", REPLACING)
def test_one_convolution_for_all_feature_maps_stays_one(design: Any) -> None:
    model = two_branches(lambda _: layers.Identity(), shared=True)
    for branches in ((), ["objects"], "objects"):
        new = replace_classes(model, 3, design, detector=SMALL, branches=branches)
        assert len([layer for layer in new.layers if layer.name == "objects"]) == 1
        np.testing.assert_array_equal(outputs(new)[0], outputs(model)[0])


def test_named_outputs() -> None:
    model = two_branches(depthwise, as_dict=True)
    new = replace_classes(model, 3, "gated", detector=SMALL)
    assert set(new.output) == {"boxes", "scores", "class_logits"}
    regressors, logits = regressors_and_logits(outputs(new), SMALL)
    assert (regressors.shape, logits.shape) == ((32, 4), (32, 3))
    np.testing.assert_array_equal(logits.max(axis=1), outputs(model)[1][0, :, 0])


def pose() -> Any:
    return models.shared("pose_detection")


def other_tail() -> Any:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 1, name="logits")(inputs)
    return keras.Model(inputs, layers.Reshape((-1, 1))(layers.Softmax()(x)))


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (lambda: models.shared("hand_landmark_lite"), {}, "hand_landmark_lite has no detection head"),
        (pose, {"n": 0}, "0 classes make no detector"),
        (pose, {"n": True}, "True classes"),
        (pose, {"n": 2.0}, "2.0 classes"),
        (pose, {"design": "huge"}, "no design 'huge'.*\nhint: designs: joint, gated"),
        (pose, {"start": "late"}, "starts 'late'"),
        (pose, {"branches": ["nobody"]}, "no convolution 'nobody'"),
        (pose, {"branches": ["conv2d"]}, "comes after the classification branch"),
        (lambda: replace_classes(pose(), 3), {"design": "gated"}, "tells 3 classes apart"),
        (lambda: two_branches(depthwise), {"branches": ["objects_0"], "detector": SMALL}, "has to name all of them"),
        (lambda: two_branches(depthwise), {"branches": ["conv2d"], "detector": SMALL}, "conv2d"),
        (lambda: models.shared(FACE), {"branches": ["regressor_8", "regressor_16"]}, "give boxes, not logits"),
        (other_tail, {"branches": ["logits"]}, "softmax.* comes after the classification branch"),
    ],
)
def test_bad_input(model: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadHead, match=f"(?s){message}"):
        replace_classes(model(), **({"n": 3} | settings))
