"""Ways to run a model: `.tflite` files in LiteRT, Keras models in their own back end, ONNX models in ONNX Runtime."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadCandidate, VerificationImpossible
from converter.extras import importing
from converter.rebuild.model import uncollected
from converter.tflite.variants import with_outputs

Array = NDArray[np.float32]
# One array per input → one array per output.
Run = Callable[[Sequence[Array]], list[Array]]
Kernels = Literal["plain", "xnnpack"]
# How many calls of a Keras model take as long as compiling it, on TensorFlow.
EAGER = 4
# TensorFlow's settings are the process's.
_OPTIONS = Lock()


class LiteRT:
    """A `.tflite` file in LiteRT's interpreter, batch as in the file.

    Args:
        data: The file.
        kernels: `plain` for the portable kernels, `xnnpack` for the default delegate.
        keep: Intermediate tensors that `tensor` shall give.
        threads: More than one only where speed is measured: sums in another order round otherwise.

    Raises:
        VerificationImpossible: LiteRT refuses the model.
    """

    def __init__(self, data: bytes | memoryview, kernels: Kernels, keep: Sequence[int] = (), threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = {"plain": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, "xnnpack": OpResolverType.BUILTIN}
        count: int | None = None
        if keep and kernels == "xnnpack":  # a delegate fills in outputs only
            data, count = with_outputs(data, keep)
        try:
            self._interpreter: Any = Interpreter(
                model_content=bytes(data),
                experimental_op_resolver_type=resolver[kernels],
                # Without this, tensors share memory and read back as whatever was there last, with no error.
                experimental_preserve_all_tensors=bool(keep) and kernels == "plain",
                num_threads=threads,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise VerificationImpossible(
                f"LiteRT ({kernels} kernels) refuses the model: {reason}",
                hint="`unlite convert --no-verify` converts it without comparing",
            ) from None
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()][:count]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call: one array per input of the file, in its order and shapes → one array per output, in its order."""
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def tensor(self, index: int) -> Array:
        """One of the tensors to `keep`, as the last run left it (a copy)."""
        return np.asarray(self._interpreter.get_tensor(index))

    def view(self, index: int) -> Array:
        """As `tensor`, in LiteRT's own memory: let go of it before the next run, which LiteRT refuses otherwise."""
        return np.asarray(self._interpreter.tensor(index)())


def keras_runner(model: Any, eager: int | None = None) -> Run:
    """How to call a `keras.Model`, or one layer, in inference mode: any batch, outputs in the model's order.

    It keeps the weights that the model has when it is first called (JAX compiles them in): make a new one after
    training.

    Args:
        model: What to call.
        eager: After how many calls TensorFlow compiles it; None: never. The next call takes as long as `EAGER` others.
    """
    import keras

    def call(inputs: list[Any]) -> Any:
        return model(inputs if len(inputs) > 1 else inputs[0], training=False)

    first, calls = compiled(call), count()
    later = first if eager is None else _as_graph(first)

    def run(inputs: Sequence[Array]) -> list[Array]:
        now = first if eager is None or next(calls) < eager else later
        return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(now(list(inputs)))]

    return run


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as the back end runs it best.

    JAX compiles every operation of its own otherwise, which takes five times as long. TensorFlow and PyTorch start
    at once as they are; compiling there costs seconds before the first result.
    """
    import keras

    if keras.backend.backend() != "jax":
        return function
    import jax

    made: Callable[..., Any] = jax.jit(function)
    return made


@contextmanager
def graph_optimizer(**settings: bool) -> Iterator[None]:
    """With TensorFlow's optimizer of graphs set otherwise; on other back ends nothing changes.

    One of its passes, `remapping`, fuses layers for oneDNN. With it, running converted detectors in a graph ends the
    process: segmentation fault in TensorFlow 2.21 on a processor with AVX-512.

    Args:
        settings: For `tf.config.optimizer.set_experimental_options`, the opposite of what they are by themselves.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    known = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(settings)
    try:
        yield
    finally:
        before = {name: known.get(name, not value) for name, value in settings.items()}
        tf.config.optimizer.set_experimental_options(before)


def _as_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which TensorFlow compiles when it is first called, for any batch."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    graphs: list[Callable[..., Any]] = []

    def run(inputs: list[Array]) -> Any:
        # Optimizing takes longer than it saves.
        with _OPTIONS, graph_optimizer(disable_meta_optimizer=True):
            if not graphs:
                signature = [tf.TensorSpec((None, *array.shape[1:]), tf.float32) for array in inputs]
                with uncollected():
                    graphs.append(tf.function(function, autograph=False).get_concrete_function(signature))
            return graphs[0]([tf.constant(array) for array in inputs])

    return run


class OnnxRuntime:
    """An ONNX model in ONNX Runtime, one thread.

    Args:
        data: The file.
        name: What to call it in messages.
        is_optimized: Whether to run it as it comes; what the optimizer fuses has no result of its own.

    Attributes:
        inputs: Names of the inputs, in order.

    Raises:
        MissingBackend: ONNX Runtime is not installed.
        BadCandidate: It refuses the model.
    """

    def __init__(self, data: bytes, name: str = "the model", *, is_optimized: bool = True) -> None:
        with importing("onnx", "running ONNX"):
            import onnxruntime
        options, levels = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if is_optimized else levels.ORT_DISABLE_ALL
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._name = name
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime refuses {name}: {error}") from error
        self.inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """As `LiteRT.run`."""
        return list(self.named(dict(zip(self.inputs, inputs, strict=True))).values())

    def named(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As `run`, by name."""
        names = [entry.name for entry in self._session.get_outputs()]
        try:
            return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run {self._name}: {error}") from error
