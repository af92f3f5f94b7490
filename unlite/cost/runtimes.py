"""What a model can run in: one table, name → how to make a run of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from converter.errors import MissingRuntime
from converter.extras import check_extra
from converter.tflite.reader import read
from parity.runners.keras import keras_runner
from parity.runners.litert import Kernels, LiteRT
from parity.runners.onnx import OnnxRuntime
from parity.runners.types import Array, Run
from unlite.cost import naive

StorageType = Literal["float16", "float32"]


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
    """One way to run a model.

    Attributes:
        text: What it is, in words.
        make: Gives a run.
        extra: What brings along the packages that it needs: see `converter.extras`.
    """

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
    return LiteRT(naive.export_set(subject.model, subject.example), "xnnpack").run


def _eager(subject: Subject) -> Run:
    from keras import ops, tree

    def run(inputs: Sequence[Array]) -> list[Array]:
        made = subject.model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
        return [ops.convert_to_numpy(output) for output in tree.flatten(made)]

    return run


def _predict(subject: Subject) -> Run:
    import keras
    from keras import tree

    if keras.backend.backend() == "tensorflow":
        _graphs("keras-predict")

    def run(inputs: Sequence[Array]) -> list[Array]:
        made = subject.model.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)
        return list(tree.flatten(made))

    return run


def _compiled(subject: Subject) -> Run:
    import keras

    if keras.backend.backend() == "jax":
        return keras_runner(subject.model)
    function = _graphs("keras-compiled").function(lambda inputs: subject.model(inputs, training=False))

    def run(inputs: Sequence[Array]) -> list[Array]:
        made = function(list(inputs) if len(inputs) > 1 else inputs[0])
        return [output.numpy() for output in keras.tree.flatten(made)]

    return run


def _graphs(runtime: str) -> Any:
    """TensorFlow, for graphs that it optimizes.

    Without its remapper, which fuses activations: on PReLU that of version 2.21 gives up with an error, and on
    `face_detection_short_range` it ends the process.
    """
    tf = naive.tensorflow(f"runtime {runtime}")
    tf.config.optimizer.set_experimental_options({"remapping": False})
    return tf


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
