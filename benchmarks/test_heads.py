"""What a head for n classes costs: pytest-benchmark's numbers per design, classes and runtime, and asserted ratios."""

from functools import cache
from typing import Any

import pytest

from converter.surgery.heads import Design
from parity.runners.runtimes import Run
from tests.tools.models import original
from unlite.cost.bench import Bench, Variant
from unlite.cost.measure import CLASSES, DESIGNS, measure
from unlite.cost.runtimes import RUNTIMES, Runtime, Subject, parse_runtimes

NAME = "palm_detection_full"
# Those that take seconds to prepare for one model: `python -m benchmarks.heads_page` measures their whole curve.
SLOW = ("litert-int8", "onnx", "keras-eager", "keras-predict", "keras-compiled", "naive")
CASES = [
    (runtime, design, classes)
    for runtime in RUNTIMES
    for design in DESIGNS
    for classes in (CLASSES if runtime not in SLOW else (CLASSES[0], CLASSES[-1]))
]
ROUNDS, SECONDS = 20, 60.0
# Times the same design with one class, for the recommended design.
LIMITS = {7: 1.02, 91: 1.10}


@cache
def bench() -> Bench:
    return Bench.of(original(NAME))


@cache
def variant(design: Design, classes: int) -> Variant:
    return next(bench().variants([design], [classes]))


@pytest.mark.parametrize(("runtime", "design", "classes"), CASES)
def test_network(runtime: str, design: Design, classes: int, benchmark: Any) -> None:
    """The network that a design adds or changes; of `two_stage`, the second stage alone."""
    benchmark.group = f"{NAME}, {runtime}"
    measured = variant(design, classes)
    costs = bench().cost(measured)
    benchmark.extra_info |= costs.networks.as_dict() | {
        "design": design,
        "classes": classes,
        "runtime": runtime,
        "expected_times_unchanged": costs.expected,
    }
    run = RUNTIMES[runtime].make(measured.subject)
    made = benchmark.pedantic(run, [measured.subject.example], rounds=ROUNDS, warmup_rounds=2)
    # int8 may store an output's extents otherwise; its last one is the number of classes there as well
    assert classes in {output.shape[-1] for output in made}


def test_the_best_design_scales(report: list[str]) -> None:
    """Interleaved, so that the machine's drift is in all of them."""
    found = measure(original(NAME), runtimes=parse_runtimes(), seconds=SECONDS)
    report += [
        f"{row.name}: {1000 * row.model.median:.2f} ms, {row.growth.median:.3f} times its fewest classes, "
        f"{row.ratio.median:.3f} times the unchanged detector, expected {row.expected:.3f}"
        for row in found.measured
    ]
    report.append(found.recommendation)
    growth = {row.classes: row.growth.median for row in found.rows(found.runtime, found.best.design)}
    assert {classes for classes, limit in LIMITS.items() if growth[classes] > limit} == set()
    assert not any(row.is_slow for row in found.measured)


def test_a_slow_head_and_a_missed_budget_are_reported(report: list[str]) -> None:
    """Seven classes are exported so that their weights are variables, one class is not."""

    def make(subject: Subject) -> Run:
        is_slow = any(output.shape[-1] == CLASSES[2] for output in subject.model.outputs)
        return RUNTIMES["naive" if is_slow else "litert"].make(subject)

    sabotaged = {"litert": Runtime("LiteRT, with one slow file", make)}
    settings = {"designs": ("joint",), "classes": (CLASSES[0], CLASSES[2]), "budget": 1e-3, "seconds": 5.0}
    found = measure(original(NAME), runtimes=sabotaged, **settings)  # type: ignore[arg-type]
    report.append(f"with a slow file on purpose: {found.recommendation}")
    assert [row.is_slow for row in found.measured] == [False, True]
    assert not found.is_met
