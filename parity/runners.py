"""Run a model: arrays in, arrays out."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadCandidate, VerificationImpossible
from converter.extras import importing
from converter.rewrite import with_outputs

Array = NDArray[np.float32]
Kernels = Literal["plain", "xnnpack"]
# One array per input → one array per output.
Run = Callable[[Sequence[Array]], list[Array]]


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
        """One call.

        Args:
            inputs: One array per input of the file, in its order and shapes.

        Returns:
            One array per output, in the file's order.
        """
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def tensor(self, index: int) -> Array:
        """One of the tensors to `keep`, as the last run left it (a copy)."""
        return np.asarray(self._interpreter.get_tensor(index))


class OnnxRuntime:
    """An ONNX model in ONNX Runtime as it comes, one thread.

    Args:
        data: The file.

    Raises:
        MissingBackend: ONNX Runtime is not installed.
        BadCandidate: It refuses the model.
    """

    def __init__(self, data: bytes) -> None:
        with importing("onnx", "running ONNX"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime refuses the model: {error}") from error
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call: one array per input of the file, in its order → one array per output, in its order."""
        try:
            made: list[Array] = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run the model: {error}") from error
        return made


def keras_runner(model: Any) -> Run:
    """How to call a Keras model, or one layer, in inference mode.

    Args:
        model: Any `keras.Model` or `keras.layers.Layer`.

    Returns:
        A function: one array per input, with any batch → one array per output, in the model's order. It keeps
        the weights that the model has when it is first called (JAX compiles them in): make a new one after training.
    """
    import keras

    def call(inputs: list[Any]) -> Any:
        return model(inputs if len(inputs) > 1 else inputs[0], training=False)

    call = compiled(call)

    def run(inputs: Sequence[Array]) -> list[Array]:
        return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(call(list(inputs)))]

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
