"""What is said of a model's file before it is written, and what loading it says then."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import converter
from converter.errors import MalformedModel, OutputNotWritten
from converter.rebuild.saving import not_loadable, save_weights
from tests.tools.lazy import keras, layers, odd_layers, ops, own_layers
from tests.tools.spread import assert_bit_equal

pytestmark = pytest.mark.one_setting

OWN_CODE = "is in your code alone"
LAMBDA = "Keras loads no Python lambda in safe mode; what keras.ops has (keras.ops.pad) needs none"


def twice(x: Any) -> Any:
    return 2 * x


def model_of(write: Callable[[Any], Any]) -> Any:
    inputs = keras.Input((4, 4, 2))
    return keras.Model(inputs, write(inputs))


def compiled(**settings: Any) -> Any:
    model = model_of(layers.Conv2D(2, 1))
    model.compile(**settings)
    return model


def subclassed() -> Any:
    model = odd_layers.Whole()
    model.build((None, 9, 7, 3))
    return model


LOADABLE = {
    "layers": lambda: model_of(lambda x: layers.Activation("relu")(layers.Conv2D(2, 1, activation="relu6")(x))),
    "operations": lambda: model_of(lambda x: ops.pad(x, [[0, 0], [1, 1], [0, 1], [0, 0]]) + 1),
    "layers of ours": lambda: model_of(own_layers.Scale((2,))),
    "compiled": lambda: compiled(optimizer="adam", loss="mse", metrics=["mae"]),
}
NOT_LOADABLE: dict[str, tuple[Callable[[], Any], str, str]] = {
    "lambda": (lambda: model_of(layers.Lambda(lambda x: 2 * x, name="odd")), "layer 'odd'", LAMBDA),
    "function": (
        lambda: model_of(layers.Conv2D(2, 1, activation=twice, name="odd")),
        "layer 'odd'",
        f"the function twice {OWN_CODE}",
    ),
    "class": (lambda: model_of(odd_layers.Identity(name="odd")), "layer 'odd'", f"the class Identity {OWN_CODE}"),
    "within": (
        lambda: model_of(keras.Sequential([layers.ReLU(), odd_layers.Identity(name="odd")])),
        "layer 'odd'",
        f"the class Identity {OWN_CODE}",
    ),
    "model": (subclassed, "model 'whole", f"the class Whole {OWN_CODE}"),
    "compiled": (lambda: compiled(loss=twice), "what it was compiled with", f"the function twice {OWN_CODE}"),
}


@pytest.mark.parametrize("name", LOADABLE)
def test_nothing_stands_in_the_way(name: str, tmp_path: Path) -> None:
    model = LOADABLE[name]()
    assert not_loadable(model) == {}
    converter.save(model, tmp_path / "out.keras")
    converter.load(tmp_path / "out.keras")


@pytest.mark.parametrize("name", NOT_LOADABLE)
def test_what_stands_in_the_way_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, what, why = NOT_LOADABLE[name]
    model = make()
    ((found, reason),) = not_loadable(model).items()
    assert (found.startswith(what), reason) == (True, why)
    converter.save(model, tmp_path / "out.keras")
    for module in (__name__, "tests.tools.odd_layers"):  # which early versions of Keras would import
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MalformedModel):
        converter.load(tmp_path / "out.keras")


def test_what_is_registered_here_is_unknown_elsewhere() -> None:
    registered = keras.saving.register_keras_serializable("tests")(odd_layers.Identity)
    before = dict(keras.saving.get_custom_objects())
    assert not_loadable(model_of(registered(name="odd"))) == {"layer 'odd'": f"the class Identity {OWN_CODE}"}
    assert keras.saving.get_custom_objects() == before
    del keras.saving.get_custom_objects()["tests>Identity"]


def test_what_cannot_even_be_saved_is_an_error(tmp_path: Path) -> None:
    model = model_of(odd_layers.NotSaved(float))
    with pytest.raises(OutputNotWritten, match=r"cannot be saved as .keras: [^\n]*(\n.*)*weights alone can: OUT"):
        not_loadable(model)
    save_weights(model_of(layers.Conv2D(2, 1)), tmp_path / "out.weights.h5")


def test_weights_alone(tmp_path: Path) -> None:
    def build() -> Any:
        return model_of(lambda x: layers.Lambda(lambda y: 2 * y)(layers.Conv2D(2, 1)(layers.BatchNormalization()(x))))

    model, again = build(), build()
    save_weights(model, tmp_path / "out.weights.h5")
    again.load_weights(tmp_path / "out.weights.h5")
    assert_bit_equal(again.get_weights(), model.get_weights())
    with pytest.raises(OutputNotWritten, match=r"out.h5 does not end in .weights.h5\n.*try out.weights.h5"):
        save_weights(model, tmp_path / "out.h5")
