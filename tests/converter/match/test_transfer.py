"""Weights from a file into a person's model: complete, exact, or not at all."""

from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.errors import PlanIncomplete, UnsupportedModel
from converter.match.identity import identity_variance
from converter.match.transfer import transfer
from fixtures.builder import Builder, one
from parity.candidates.keras import KerasCandidate
from parity.layerwise.check import report
from parity.outputs.compare import RELATIVE, SPREADS
from tests.tools.files import siblings_file
from tests.tools.lazy import architectures, keras, layers
from tests.tools.networks import (
    TRANSFERS,
    assert_same,
    guilty,
    has_run,
    original,
    plan_for,
    randomized,
    siblings,
    transferred,
)

FILE = siblings_file("left", "right")


@pytest.mark.parametrize("name", TRANSFERS)
def test_transfer_agrees_at_every_tensor(name: str) -> None:
    """Within the tolerance of `unlite convert`: the kernel spread of that very tensor, nothing inherited."""
    model, plan = transferred(name)
    depthwise = [layer for layer in model.layers if isinstance(layer, layers.DepthwiseConv2D)]
    without_bias = [layer.name for layer in depthwise if not layer.use_bias]
    assert len(without_bias) == (28 if name == "palm_192" else 0)
    expected = [f" is all zeros, and {layer} has no bias: nothing to transfer" for layer in without_bias]
    assert [note[note.index(" is all") :] for note in plan.notes] == expected
    outcome = report(has_run(name), KerasCandidate(model)).report
    assert_same(outcome)
    # Every operator has a partner: the file's own count, without what only gives constants another form.
    computing = [op for op in original(name).graph.ops if op.kind != "DEQUANTIZE"]
    assert len(outcome.layers) == len(computing)
    for layer in outcome.layers:
        for statistics in (layer.chained, layer.isolated):
            assert statistics is not None
            assert statistics.max_abs is not None
            assert statistics.max_abs <= max(SPREADS * layer.spread, RELATIVE * layer.span), layer.tensor


def test_batch_normalization_becomes_exactly_the_identity() -> None:
    model, plan = transferred("palm_192")
    notes = {assignment.note for assignment in plan.assignments}
    assert notes == {"", "folded away in the file: identity", "becomes the batch normalization's beta"}
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 32)).astype(np.float32)
    layer = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    beta = keras.ops.convert_to_numpy(layer.beta)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x, training=False)), x + beta)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5, 1.001e-5, 1e-2, 1e-7, 0.0, 0.3])
@pytest.mark.parametrize("channels", [1, 3, 16, 45])
def test_identity_variance_makes_every_channel_exact(epsilon: float, channels: int) -> None:
    """Whatever this CPU and back end make of a reciprocal square root, also in the last channels."""
    layer = layers.BatchNormalization(epsilon=epsilon)
    layer.build((None, 4, 4, channels))
    layer.moving_variance.assign(identity_variance(epsilon, channels))
    x = np.random.default_rng(0).normal(size=(1, 4, 4, channels)).astype(np.float32)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x, training=False)), x)


def test_batch_normalization_after_a_bias() -> None:
    """The convolution keeps the file's bias, and the normalization adds nothing."""
    before = siblings()
    x = layers.BatchNormalization(epsilon=0.01, name="norm")(before.output)
    model = randomized(keras.Model(before.input, x))
    transfer(plan_for(model, converter.read(FILE)))
    assert not keras.ops.convert_to_numpy(model.get_layer("norm").beta).any()
    assert keras.ops.convert_to_numpy(model.get_layer("end").bias).any()


def test_missing_bias_in_the_file_is_zero() -> None:
    """A depthwise convolution of the file has none, the model's has."""
    options: dict[str, Any] = {"strideW": 1, "strideH": 1, "depthMultiplier": 1}
    kernel, shape = np.ones((1, 3, 3, 2), np.float32), (1, 4, 4, 2)
    file = converter.read(one("DEPTHWISE_CONV_2D", shape, shape, kernel, **options))
    inputs = keras.Input((4, 4, 2))
    model = randomized(keras.Model(inputs, layers.DepthwiseConv2D(3, padding="same")(inputs)))
    transfer(plan_for(model, file))
    assert not keras.ops.convert_to_numpy(model.layers[-1].bias).any()


def test_leftovers_are_listed_together_and_nothing_is_touched() -> None:
    model = randomized(siblings(filters=7))
    before = model.get_weights()
    plan = plan_for(model, converter.read(FILE))
    with pytest.raises(PlanIncomplete) as caught:
        transfer(plan)
    message = str(caught.value)
    assert "2 tensors that nobody reads:\n  end/Kernel (2, 1, 1, 4); nearest: end/kernel" in message
    assert "2 variables that nobody feeds:\n  end/kernel (1, 1, 4, 7); nearest: end/Kernel" in message
    assert "allow_unfed=" in message
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("pattern", ["end", "end/*", "e*d*"])
def test_heads_may_be_left_out_on_purpose(pattern: str) -> None:
    model = randomized(siblings(filters=7))
    own = keras.ops.convert_to_numpy(model.get_layer("end").kernel)
    plan = plan_for(model, converter.read(FILE), allow_unfed=[pattern])
    transfer(plan)
    assert sum("left out as asked" in note for note in plan.notes) == 4
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.get_layer("end").kernel), own)


def test_allow_unfed_allows_nothing_else() -> None:
    with pytest.raises(PlanIncomplete, match="nobody feeds"):
        transfer(plan_for(siblings(filters=7), converter.read(FILE), allow_unfed=["left*"]))


def test_bias_that_nobody_takes_is_a_gap_unless_it_is_zero() -> None:
    plan = plan_for(siblings(use_bias=False), converter.read(FILE))
    assert [leftover.name for leftover in plan.unread] == ["end/Bias"]
    zero = plan_for(architectures.palm_192(), original("palm_192"))  # depthwise biases in the file are all zero
    assert zero.is_complete
    assert any("all zeros" in note for note in zero.notes)


def test_prelu_that_the_model_lacks_is_a_gap() -> None:
    """The walk steps over it, but its alpha must not vanish silently."""
    inputs = keras.Input((192, 192, 3))
    model = architectures.palm_192()
    first = next(layer for layer in model.layers if isinstance(layer, layers.PReLU))

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer is first else layer(*args, **kwargs)

    without = keras.models.clone_model(model, input_tensors=inputs, clone_function=lambda x: x, call_function=call)
    plan = plan_for(without, original("palm_192"))
    assert [leftover.layer for leftover in plan.unread] == ["p_re_lu"]


def test_unbuilt_model_is_an_error() -> None:
    with pytest.raises(UnsupportedModel, match="no fixed input shape"):
        plan_for(keras.Sequential([layers.Conv2D(2, 1)]), converter.read(FILE))


def test_number_in_the_code_of_a_model_is_no_gap_and_is_compared() -> None:
    """A hard-swish as people write it: the file has its numbers as constants."""
    b = Builder()
    x = b.conv(b.input((1, 4, 4, 3)), (2, 1, 1, 3), "conv")
    half = b.op("MUL", [x, b.constant(np.array([0.5], np.float32))], [(1, 4, 4, 2)], ["half"])[0]
    file = converter.read(
        b.build(b.op("ADD", [half, b.constant(np.array([3.0], np.float32))], [(1, 4, 4, 2)], ["more"]))
    )
    inputs = keras.Input((4, 4, 3))
    outcomes = []
    for factor in (0.5, 0.4):
        model = keras.Model(inputs, layers.Conv2D(2, 1)(inputs) * factor + 3.0)
        transfer(plan_for(model, file))
        outcomes.append(parity.layers(file, model))
    assert_same(outcomes[0])
    assert guilty(outcomes[1]).layer.startswith("multiply")
    assert "its number is 0.4, the file has 0.5" in guilty(outcomes[1]).why


def test_tensor_that_a_shared_layer_reads_is_read() -> None:
    """The file calls a layer twice, the model once."""
    b, kernel = Builder(), (3, 1, 1, 3)
    x, weights = b.input((1, 4, 4, 3)), b.weights("conv", kernel, (3,))
    once = b.conv(x, kernel, "conv", weights=weights)
    file = converter.read(b.build([b.conv(once, kernel, "again", weights=weights)]))
    inputs = keras.Input((4, 4, 3))
    assert plan_for(keras.Model(inputs, layers.Conv2D(3, 1)(inputs)), file).is_complete
