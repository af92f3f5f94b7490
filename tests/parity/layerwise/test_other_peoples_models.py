"""Models as people write them: what is right passes, what is wrong does not, whatever the layers are called."""

from pathlib import Path
from typing import Any

import pytest

import converter
import parity
from converter.errors import BadCandidate, BadOverride
from converter.match.transfer import make_plan, transfer
from fixtures.builder import Builder
from parity.candidates.keras import KerasCandidate
from parity.candidates.loading import load_model
from parity.candidates.saved_traces import save_trace
from parity.layerwise.check import check
from tests.tools.lazy import keras, layers, odd_layers, ops
from tests.tools.networks import assert_same, guilty, randomized
from unlite.commands.main import main


def conv_file(*, siblings: bool = False, is_shared: bool = False) -> bytes:
    """One convolution with ReLU and pooling, and two outputs; or two parallel ones that are concatenated."""
    b, kernel = Builder(), (4, 3, 3, 3)
    x, first = b.input((1, 8, 8, 3)), b.weights("conv2d", kernel, (4,))
    left = b.conv(x, kernel, "conv2d", weights=first)
    if siblings:
        right = b.conv(x, kernel, "conv2d_1", weights=first if is_shared else ())
        return b.build(b.op("CONCATENATION", [left, right], [(1, 8, 8, 8)], ["both"], axis=3))
    active = b.op("RELU", [left], [(1, 8, 8, 4)], ["relu"])[0]
    strided = {"padding": 0, "strideW": 2, "strideH": 2}
    pooled = b.op("MAX_POOL_2D", [active], [(1, 4, 4, 4)], ["pool"], filterWidth=2, filterHeight=2, **strided)[0]
    return b.build([active, pooled])


FILE = converter.read(conv_file())


def build(
    front: Any = None, relu: Any = None, pool: Any = None, outputs: Any = lambda a, p: [a, p], activation: Any = None
) -> Any:
    inputs = keras.Input((8, 8, 3))
    x = front(inputs) if front else inputs
    x = layers.Conv2D(4, 3, padding="same", activation=activation() if activation else None)(x)
    active = (relu or ops.relu)(x)
    pooled = (pool or layers.MaxPooling2D(2))(active)
    return keras.Model(inputs, outputs(active, pooled))


def filled(model: Any, file: Any = FILE) -> Any:
    transfer(make_plan(converter.blueprint(file.graph), model))
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"front": lambda x: layers.Dropout(0.5)(x)},
        {"front": lambda x: layers.RandomFlip()(layers.RandomRotation(0.3)(x))},
        {"front": lambda x: layers.Rescaling(1.0)(x)},
        {"front": lambda x: layers.Normalization(mean=0.0, variance=1.0)(x)},
        {"pool": lambda x: ops.max_pool(x, 2, 2, "same")},
        {"relu": lambda x: ops.maximum(x, 0.0)},
        {"relu": lambda x: x, "activation": lambda: layers.ReLU()},
        {"outputs": lambda a, p: {"z": a, "a": p}},
    ],
)
def test_right_model_is_the_same(settings: dict[str, Any]) -> None:
    outcome = parity.layers(FILE, filled(build(**settings)))
    assert outcome.ok, outcome.guilty
    assert outcome.guilty is None


@pytest.mark.parametrize(
    ("settings", "blamed"),
    [
        ({"front": lambda x: layers.Rescaling(2.0, name="front")(x)}, "front"),
        ({"front": lambda x: odd_layers.Identity(name="front")(x)}, "front"),
        ({"relu": lambda x: ops.relu(2 * x)}, "multiply"),
        ({"outputs": lambda a, p: [p, a]}, "relu"),
        ({"outputs": lambda a, _: [a]}, "pool"),
        ({"pool": lambda x: ops.max_pool(x, 3, 2, "same")}, "max_pool"),
    ],
)
@pytest.mark.parametrize("with_audit", [True, False])
def test_wrong_model_is_not(settings: dict[str, Any], blamed: str, with_audit: bool) -> None:  # noqa: FBT001
    outcome = parity.layers(FILE, filled(build(**settings)), with_audit=with_audit)
    assert guilty(outcome).layer.startswith(blamed)


def test_model_that_forgets_an_output() -> None:
    model = odd_layers.OneOutput(filled(build(pool=layers.MaxPooling2D(2, name="last"))))
    model.build((None, 8, 8, 3))
    assert guilty(parity.layers(FILE, model)).layer.endswith("/last")  # in the model within


def test_outputs_of_a_trace_are_the_model_s_own(tmp_path: Path) -> None:
    returned: dict[Any, bool] = {
        lambda a, p: [a, p]: True,
        lambda a, p: [p, a]: False,
        lambda a, p: {"z": a, "a": p}: True,  # whose order says nothing
    }
    for outputs, is_right in returned.items():
        save_trace(tmp_path / "trace.npz", check(FILE, filled(build(outputs=outputs))).recording())
        assert parity.layers(FILE, str(tmp_path / "trace.npz")).ok is is_right


def test_siblings_go_by_their_place_in_a_concatenation_not_by_their_numbers() -> None:
    file = converter.read(conv_file(siblings=True))
    inputs = keras.Input((8, 8, 3))
    second, first = (layers.Conv2D(4, 3, padding="same", name=f"conv2d_{n}")(inputs) for n in (10, 11))
    model = filled(keras.Model(inputs, layers.Concatenate()([first, second])), file)
    assert parity.layers(file, model).ok


def test_one_layer_called_twice_takes_one_weight() -> None:
    file = converter.read(conv_file(siblings=True, is_shared=True))
    inputs, shared = keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same")
    model = filled(keras.Model(inputs, layers.Concatenate()([shared(inputs), shared(inputs)])), file)
    assert parity.layers(file, model).ok


@pytest.mark.parametrize(
    ("relu", "blamed"),
    [
        (lambda x: layers.Subtract()([x, x]), "subtract"),  # the pooling after it is right
        (lambda x: ops.absolute(layers.Subtract()([x, x])), "absolute"),  # both stand where the ReLU does
    ],
)
def test_layer_that_did_not_get_the_originals_values_is_not_blamed(relu: Any, blamed: str) -> None:
    assert guilty(parity.layers(FILE, filled(build(relu=relu)))).layer.startswith(blamed)


def test_inputs_in_another_order() -> None:
    b = Builder()
    x, y = b.input((1, 4, 4, 2), "picture"), b.input((1, 4, 4, 3), "depth")
    file = converter.read(b.build(b.op("CONCATENATION", [x, y], [(1, 4, 4, 5)], ["all"], axis=3)))
    given = [keras.Input((4, 4, channels), name=name) for channels, name in ((3, "b"), (2, "a"))]
    assert_same(parity.layers(file, keras.Model(given, layers.Concatenate()(given[::-1]))))


def test_pattern_that_leaves_nothing_out_is_an_error() -> None:
    with pytest.raises(BadOverride, match=r"allow_unfed=\['head_\*'\] leaves nothing out"):
        make_plan(converter.blueprint(FILE.graph), build(), allow_unfed=["head_*"])


MODULE = """
from __future__ import annotations
import sys
from dataclasses import dataclass
import keras

@dataclass
class Settings:
    filters: int = 4

def build():
    print("building")
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.Conv2D(Settings().filters, 3)(inputs))

def leaves(): sys.exit(0)
"""


def test_module_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MODULE)
    assert load_model(f"{path}:build").output_shape == (None, 6, 6, 4)
    assert capsys.readouterr().out == ""  # that is for our own result
    with pytest.raises(BadCandidate, match="raises SystemExit: 0"):
        load_model(f"{path}:leaves")


def test_model_that_cannot_be_saved_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file.tflite").write_bytes(conv_file())
    (tmp_path / "mine.py").write_text(
        "from tests.tools.odd_layers import NotSaved\n"
        "from tests.parity.layerwise.test_other_peoples_models import build\n"
        "def model(): return build(front=NotSaved(float))\n"
    )
    arguments = ["transfer", str(tmp_path / "file.tflite"), f"{tmp_path / 'mine.py'}:model", "--no-verify"]
    assert main([*arguments, "-o", str(tmp_path / "out.keras")]) == 2
    assert "the model cannot be saved as .keras" in capsys.readouterr().err
    assert not (tmp_path / "out.keras").exists()


def test_replay_is_not_the_whole_judgement() -> None:
    """A model whose `call` is another one with numbers than with symbols."""
    model = odd_layers.Deceiver(randomized(filled(build())))
    transfer(make_plan(converter.blueprint(FILE.graph), model.whole))
    model.build((None, 8, 8, 3))
    assert KerasCandidate(model).network.nodes
    assert not parity.layers(FILE, model).ok
