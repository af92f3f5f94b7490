"""What two graphs that compute the same may differ by, measured on the spot.

A kernel that grew by a zero slice or by channels may be summed in another order: which, is for the kernel library, its
version and the processor to say. So only what runs the same kernels on the same shapes is compared bit for bit.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from converter.tflite.model import Model
from parity.outputs.compare import Verdict, compare
from parity.runners.reference import Reference
from parity.runners.runtimes import Array, Run, keras_runner
from tests.tools import models

Inputs = Sequence[list[Array]]


def right_runs(model: Any, file: Model) -> list[Run]:
    """Ways to run what has not been changed: the Keras model first, then the original in all its ways."""
    reference = Reference(file)
    runs = (keras_runner(model), reference.plain, reference.xnnpack, reference.nudged)
    return [_remembered(run) for run in runs]


@cache
def right_runs_of(name: str) -> list[Run]:
    """The same of a model that tests share."""
    return right_runs(models.fresh(name), models.original(name))


def _remembered(run: Run) -> Run:
    """Tests that share a model mostly share its inputs, too."""
    made: dict[tuple[bytes, ...], list[Array]] = {}

    def again(inputs: Sequence[Array]) -> list[Array]:
        key = tuple(array.tobytes() for array in inputs)
        if key not in made:
            made[key] = run(inputs)
        return made[key]

    return again


def mapped(run: Run, change: Callable[[list[Array]], list[Array]]) -> Run:
    """The run with something done to its outputs."""
    return lambda inputs: change(run(inputs))


def assert_bit_equal(made: Iterable[Any], expected: Iterable[Any]) -> None:
    """As many arrays, of the same shapes and types, and equal in every element."""
    for a, b in zip(made, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def assert_within_spread(new: Run, right: Sequence[Run], inputs: Inputs) -> None:
    """The new run is no farther from the first right one than `unlite convert` would let a conversion be.

    Args:
        new: Of the changed model.
        right: Of the unchanged one: how far the others are from the first is the spread.
        inputs: Per run one array per input.
    """
    made, truth, *others = ([run(values) for values in inputs] for run in (new, *right))
    assert len(made[0]) == len(truth[0])
    for place in range(len(truth[0])):
        own, first, *rest = (np.concatenate([outputs[place] for outputs in runs]) for runs in (made, truth, *others))
        comparisons = [compare(f"output {place}", own, first, other) for other in rest]
        assert Verdict.OK in {comparison.verdict for comparison in comparisons}, comparisons
