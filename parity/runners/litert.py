"""`.tflite` files in LiteRT."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from converter.errors import VerificationImpossible
from converter.tflite.variants import with_outputs
from parity.runners.types import Array

Kernels = Literal["plain", "xnnpack"]


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
