"""What a comparison layer by layer costs: `python -m benchmarks.parity_cost [NETWORK or LENGTH …]`.

The unit is one LiteRT run with all tensors kept (interpreter made, run, every tensor fetched) and one compiled Keras
forward; all are warm and interleaved, and each ratio is within a round. The forward counts twice: compiled and run
once, as whoever compares once has it, and as one further run of what is compiled. Chains say whether the cost grows
with the number of operators, and no faster.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

import converter
from converter.tflite.model import Model
from converter.tflite.variants import TRANSPOSE_BIAS, builtin_only
from fixtures.builder import Builder
from parity.candidates.keras import KerasCandidate
from parity.inputs import seeded_inputs
from parity.layerwise.check import check, match_candidate, report
from parity.layerwise.original import run_original
from parity.runners.runtimes import Array, LiteRT, keras_runner
from tests.tools.models import fresh
from tests.tools.models import original as file_of
from tests.tools.networks import TRANSFERS, original, transferred
from unlite.cost.latency import interleave

NETWORKS = (*TRANSFERS, "hand_landmark_full", "selfie_segmentation")
LENGTHS = (500, 1000, 2000, 5000)
ROUNDS = 7
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def network(name: str) -> tuple[Model, Any]:
    """A file, and a Keras model with its weights."""
    if name in TRANSFERS:
        return original(name), transferred(name)[0]
    return file_of(name), fresh(name)


def litert_once(model: Model, inputs: Sequence[Array]) -> list[Array]:
    """Every tensor that LiteRT computes."""
    is_custom = any(op.kind == TRANSPOSE_BIAS for op in model.graph.ops)
    kept = [index for op in model.graph.ops for index in op.outputs]
    runner = LiteRT(builtin_only(model.data) if is_custom else bytes(model.data), "plain", kept)
    runner.run(inputs)
    return [runner.tensor(index) for index in kept]


def compiled(model: Any) -> Callable[[Sequence[Array]], list[Array]]:
    """The model, to be compiled when it is first run."""
    if keras.backend.backend() != "tensorflow":
        return keras_runner(model)
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False))
    return lambda inputs: [np.asarray(x) for x in keras.tree.flatten(function(tf.constant(inputs[0])))]


def costs(name: str) -> str:
    """One network's row."""
    file, model = network(name)
    inputs = seeded_inputs(file.graph, 1)[0]
    contenders: dict[str, Callable[[], object]] = {
        "LiteRT": partial(litert_once, file, inputs),
        "compiling": lambda: compiled(model)(inputs),
        "compiled": partial(compiled(model), inputs),
        "whole": lambda: check(file, model),
    }
    cells = [f"{name:20} {len(file.graph.ops):4} operators"]
    for clock, now in CLOCKS.items():
        timings = interleave(contenders, rounds=ROUNDS, clock=now)
        once, again = (timings.ratio(["whole"], ["LiteRT", forward]).median for forward in ("compiling", "compiled"))
        taken = ", ".join(f"{each} {1000 * timings.of(each).median:.0f}" for each in contenders)
        cells.append(f"{clock}: {once:.2f}x, {again:.1f}x once compiled ({taken} ms)")
    return "; ".join(cells)


class Chain(keras.Model):  # type: ignore[misc]
    """Convolutions, each added to what it reads; as a functional model, Keras could not call a thousand of them."""

    def __init__(self, blocks: int) -> None:
        super().__init__(name="chain")
        self.steps = [keras.layers.Conv2D(4, 1, name=f"step_{number}") for number in range(blocks)]
        self.sums = [keras.layers.Add(name=f"sum_{number}") for number in range(blocks)]

    def build(self, input_shape: Any) -> None:
        """Every layer has the same shape."""
        for step in self.steps:
            step.build(input_shape)

    def call(self, x: Any) -> Any:
        """One block after the other."""
        for step, total in zip(self.steps, self.sums, strict=True):
            x = total([x, step(x)])
        return x


def chain(length: int) -> tuple[Model, Any]:
    """A file of so many small operators, and the same in Keras. What it computes neither grows nor fades."""
    rng, builder, model = np.random.default_rng(0), Builder(), Chain(length // 2)
    model.build((None, 4, 4, 4))
    x = builder.input((1, 4, 4, 4))
    for number, step in enumerate(model.steps):
        square = rng.normal(0, 0.01, (4, 4)).astype(np.float32)
        kernel, bias = square - square.T, np.zeros(4, np.float32)  # nearly a rotation, once it is added to its input
        weights = [builder.constant(kernel.reshape(4, 1, 1, 4)), builder.constant(bias)]
        made = builder.conv(x, (4, 1, 1, 4), f"conv_{number}", weights=weights)
        x = builder.op("ADD", [x, made], [(1, 4, 4, 4)])[0]
        step.set_weights([kernel.T[None, None], bias])
    return converter.read(builder.build([x])), model


def chain_costs(length: int) -> str:
    """One length's row: processor milliseconds per operator, stage by stage."""
    file, model = chain(length)
    moments = [time.process_time()]

    def done(made: Any) -> Any:
        moments.append(time.process_time())
        return made

    candidate, run = done(KerasCandidate(model)), done(run_original(file))
    matching = done(match_candidate(run, candidate))
    assert done(report(run, candidate, matching)).report.ok
    steps = 1000 * np.diff(moments) / length
    names = ("tracing", "original", "matching", "comparing")
    cells = ", ".join(f"{name} {step:.3f}" for name, step in zip(names, steps, strict=True))
    rest = steps.sum() - steps[names.index("matching")]
    return f"{length} operators: {steps.sum():.3f} ms per operator, {rest:.3f} without matching ({cells})"


def main(chosen: Sequence[str]) -> None:
    """Print a row for each."""
    lengths = [int(each) for each in chosen if each.isdigit()] if chosen else LENGTHS
    for name in (each for each in chosen or NETWORKS if not each.isdigit()):
        print(costs(name), flush=True)  # noqa: T201
    if lengths:
        chain_costs(100)  # imports
    for length in lengths:
        print(chain_costs(length), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
