"""What a model can run in: one table, name → how to make a run of it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.errors import MissingRuntime
from converter.extras import check_extra
from converter.tflite.reader import read
from converter.write.placed import StorageType
from parity.runners.runtimes import Array, Kernels, LiteRT, OnnxRuntime, Run, keras_runner


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in both forms.

    Attributes:
        model: The `keras.Model`.
        store: Gives the `.tflite` file with weights of a type; None: as the original stores them.
        example: One array per input, as the model gets them.
    """

    model: Any
    store: Callable[[StorageType | None], bytes]
    example: Sequence[Array]


@dataclass(frozen=True, slots=True)
class Runtime:
    """One way to run a model, in words and in deed; `extra` brings along what it needs, see `converter.extras`."""

    text: str
    make: Callable[[Subject], Run]
    extra: str = ""


def parse_runtimes(texts: Sequence[str] | None = None) -> dict[str, Runtime]:
    """Names with commas between them, or `all` → the runtimes, in that order; default: the first.

    Raises:
        MissingRuntime: One is not known, or not installed.
    """
    wanted = [name for text in texts or [next(iter(RUNTIMES))] for name in text.split(",")]
    if wanted == ["all"]:
        wanted = list(RUNTIMES)
    for name in wanted:
        if name not in RUNTIMES:
            raise MissingRuntime(f"no runtime {name!r}", hint=f"known: {', '.join(RUNTIMES)}")
        if extra := RUNTIMES[name].extra:
            check_extra(extra, f"runtime {name}", MissingRuntime)
    return {name: RUNTIMES[name] for name in wanted}


def _litert(kernels: Kernels = "xnnpack", threads: int = 1, stored: StorageType | None = None) -> Callable[..., Run]:
    return lambda subject: LiteRT(subject.store(stored), kernels, threads=threads).run


def _int8(subject: Subject) -> Run:
    from converter.write.quantize import quantize

    return LiteRT(quantize(subject.store("float32"), "int8", [subject.example]).data, "xnnpack").run


def _onnx(subject: Subject) -> Run:
    from converter.write.onnx import to_onnx

    return OnnxRuntime(to_onnx(read(subject.store(None)), subject.model)).run


def _naive(subject: Subject) -> Run:
    return LiteRT(export_set(subject.model, subject.example), "xnnpack").run


def _call(model: Any, inputs: Sequence[Any]) -> list[Any]:
    import keras

    return list(keras.tree.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)))


def _eager(subject: Subject) -> Run:
    from keras import ops

    return lambda inputs: [ops.convert_to_numpy(output) for output in _call(subject.model, inputs)]


def _predict(subject: Subject) -> Run:
    import keras

    if keras.backend.backend() == "tensorflow":
        _graphs("keras-predict")

    def run(inputs: Sequence[Array]) -> list[Array]:
        made = subject.model.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)
        return list(keras.tree.flatten(made))

    return run


def _compiled(subject: Subject) -> Run:
    import keras

    if keras.backend.backend() == "jax":
        return keras_runner(subject.model)
    function = _graphs("keras-compiled").function(lambda *inputs: _call(subject.model, inputs))
    return lambda inputs: [output.numpy() for output in function(*inputs)]


def _graphs(runtime: str) -> Any:
    """TensorFlow, for graphs that it optimizes.

    Without its remapper, which fuses activations: on PReLU that of version 2.21 gives up with an error, and on
    `face_detection_short_range` it ends the process.
    """
    tf = _tensorflow(f"runtime {runtime}")
    tf.config.optimizer.set_experimental_options({"remapping": False})
    return tf


# What TensorFlow's converter makes of a Keras model when nobody tells it that the weights are constants: Keras 3's
# variables are no `tf.Variable`s, so a converter that is told to track the model does not find their values, and writes
# a file that reads its weights as variables when it runs. XNNPACK takes convolutions with constant weights alone, so
# these fall back on the portable kernels; and a PReLU whose slopes are no constant becomes six operators.
def export_unset(model: Any, example: Sequence[Array]) -> bytes:
    """`from_concrete_functions`, used as its documentation says: nothing in the file ever sets its variables.

    It runs, in XNNPACK, on whatever memory holds, and computes that; the portable kernels refuse it.
    """
    return _from_function(model, example, model)


def export_constant(model: Any, example: Sequence[Array]) -> bytes:
    """The same without the model to track, which is deprecated: weights become constants."""
    return _from_function(model, example)


def _from_function(model: Any, example: Sequence[Array], *tracked: Any) -> bytes:
    tf = _tensorflow("the naive export")
    function = tf.function(lambda *inputs: _call(model, inputs)).get_concrete_function(*_specs(tf, example))
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], *tracked).convert())


def export_set(model: Any, example: Sequence[Array]) -> bytes:
    """The operators of `export_unset`, and a second subgraph that sets the variables: it computes what the model does.

    A function that changes the weights keeps the converter from making them constants.
    """
    tf = _tensorflow("the naive export")
    module = tf.Module()
    module.weights = [getattr(variable, "value", variable) for variable in model.variables]
    # By names that sort as the outputs stand.
    module.run = tf.function(lambda *inputs: {f"output_{i}": each for i, each in enumerate(_call(model, inputs))})
    module.change = tf.function(lambda factor: _change(module.weights, factor))
    signatures = {
        "model": module.run.get_concrete_function(*_specs(tf, example)),  # the first in order of the alphabet runs
        "set_weights": module.change.get_concrete_function(tf.TensorSpec((), tf.float32)),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.experimental_enable_resource_variables = True
        return bytes(converter.convert())


def _change(weights: Sequence[Any], factor: Any) -> dict[str, Any]:
    for weight in weights:
        weight.assign(weight * factor)
    return {"factor": factor}


def _specs(tf: Any, example: Sequence[Array]) -> list[Any]:
    return [tf.TensorSpec(x.shape, tf.float32, name=f"input_{place}") for place, x in enumerate(example)]


def _tensorflow(what: str) -> Any:
    """TensorFlow, if Keras runs on it.

    Raises:
        MissingRuntime: It does not.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise MissingRuntime(f"{what} needs Keras on TensorFlow, not on {backend}", hint="KERAS_BACKEND=tensorflow")
    import tensorflow

    return tensorflow


# The first is the default, and what the others are compared with.
RUNTIMES: Mapping[str, Runtime] = {
    "litert": Runtime("LiteRT with XNNPACK, one thread, weights as the original stores them", _litert()),
    "litert-2-threads": Runtime("the same, two threads", _litert(threads=2)),
    "litert-plain": Runtime("LiteRT's portable kernels, one thread", _litert("plain")),
    "litert-fp32": Runtime("LiteRT with XNNPACK, one thread, weights stored as float32", _litert(stored="float32")),
    "litert-fp16": Runtime("LiteRT with XNNPACK, one thread, weights stored as float16", _litert(stored="float16")),
    "litert-int8": Runtime("LiteRT with XNNPACK, one thread, weights and activations int8", _int8, "quantize"),
    "onnx": Runtime("ONNX Runtime, one thread", _onnx, "onnx"),
    "keras-eager": Runtime("the Keras model, called", _eager),
    "keras-predict": Runtime("the Keras model's `predict`", _predict),
    "keras-compiled": Runtime("the Keras model as one compiled function", _compiled),
    "naive": Runtime(
        "TensorFlow's converter with weights that stay variables, in LiteRT with XNNPACK, one thread",
        _naive,
        "tensorflow",
    ),
}
