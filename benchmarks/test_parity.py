"""What a parity run costs, as a ratio to running both models once."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
from converter import zoo
from parity.inputs.seeded import seeded_inputs
from parity.layerwise.check import check
from parity.runners.keras import keras_runner
from parity.runners.litert import LiteRT

NAME, ROUNDS = "palm_detection_full", 7


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compiled(model: Any) -> Callable[[Any], Any]:
    """The model as one compiled function."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        function: Callable[[Any], Any] = tf.function(lambda x: model(x, training=False))
        return function
    run = keras_runner(model)
    return lambda x: run([x])


@pytest.mark.parametrize(("inputs", "limit"), [(1, 15), (2, 10)])  # 2 without --inputs; 1 bears all matching alone
def test_parity_run(benchmark: Any, inputs: int, limit: int, report: list[str]) -> None:
    """At most ten times the sum of one plain LiteRT run and one compiled forward, per input; imports apart.

    That is a ratio within each round, which a busy machine changes little, so it may fail.
    """
    original = converter.read(zoo.fetch(NAME))
    model = converter.convert(original)
    arrays = seeded_inputs(original.graph, 1)[:inputs]
    litert, forward = LiteRT(original.data, "plain"), compiled(model)
    check(original, model, inputs=arrays)  # imports
    forward(arrays[0][0])  # compiles
    ratios = []

    def once() -> None:
        once_each = seconds(lambda: litert.run(arrays[0])) + seconds(lambda: np.asarray(forward(arrays[0][0])[0]))
        whole = seconds(lambda: check(original, model, inputs=arrays))
        ratios.append(whole / inputs / once_each)

    benchmark.pedantic(once, rounds=ROUNDS)  # both are warm already: every round is in the ratios
    benchmark.extra_info["times both models once, per input"] = [round(ratio, 2) for ratio in sorted(ratios)]
    spread = f"{statistics.median(ratios):.2f}x, {min(ratios):.2f} to {max(ratios):.2f}"
    report.append(f"unlite parity on {inputs} inputs, per input: {spread} of LiteRT plain + compiled Keras, once each")
    assert check(original, model, inputs=arrays).report.ok
    assert len(ratios) == ROUNDS
    assert statistics.median(ratios) <= limit
