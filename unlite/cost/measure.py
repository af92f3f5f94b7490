"""What a head for n classes costs: every design, number of classes and runtime, with the stages apart."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from converter.detectors.table import Detector
from converter.errors import BadHead, BadInput
from converter.surgery.heads import Design
from converter.tflite.model import Model
from unlite.cost.bench import CANDIDATES, TWO_STAGE, Bench, Variant
from unlite.cost.latency import Timings, interleave
from unlite.cost.runtimes import Runtime
from unlite.cost.verdict import Heads, Measured

CLASSES = (1, 2, 7, 20, 91)
# From the simplest on.
DESIGNS: tuple[Design, ...] = get_args(Design)
# Per runtime. On a busy machine the medians of so many rounds still repeat within one percent.
SECONDS, ROUNDS = 20.0, 300
UNITS = {"ms": 1e-3, "s": 1.0}


def parse_classes(text: str) -> tuple[int, ...]:
    """`1,7,91` → the numbers, ascending, each once.

    Raises:
        BadInput: It is something else.
        BadHead: A number of classes makes no detector.
    """
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        raise BadInput(f"{text!r} is no list of numbers of classes", hint="for example 1,7,91") from None
    if numbers[0] < 1:
        raise BadHead(f"{numbers[0]} classes make no detector", hint="1 or more")
    return tuple(numbers)


def parse_budget(text: str) -> float:
    """`33ms` or `0.033s` → seconds.

    Raises:
        BadInput: It is something else.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+) ?(ms|s)", text)
    if not match or not float(match[1]):
        raise BadInput(f"{text!r} is no budget", hint="for example 33ms or 0.033s")
    return float(match[1]) * UNITS[match[2]]


def parse_designs(texts: Sequence[str] | None) -> tuple[Design, ...]:
    """Names with commas between them → the designs, from the simplest on; default: all.

    Raises:
        BadHead: One is not known.
    """
    wanted = [name for text in texts or [",".join(DESIGNS)] for name in text.split(",")]
    for name in wanted:
        if name not in DESIGNS:
            raise BadHead(f"no design {name!r}", hint=f"designs: {', '.join(DESIGNS)}")
    return tuple(name for name in DESIGNS if name in wanted)


def measure(  # noqa: PLR0913 - settings, by keyword
    original: Model,
    *,
    runtimes: Mapping[str, Runtime],
    designs: Sequence[Design] = DESIGNS,
    classes: Sequence[int] = CLASSES,
    detector: Detector | None = None,
    budget: float | None = None,
    seconds: float = SECONDS,
    models: Mapping[Design, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Heads:
    """Measure every design with every number of classes in every runtime.

    Args:
        original: A detector's file.
        runtimes: See `unlite.cost.runtimes.parse_runtimes`; recommendation and budget are about the first.
        designs: Of `converter.surgery.heads.Design`.
        classes: Numbers of classes, ascending.
        detector: What the file's tensors mean; default: the known detector that has such tensors.
        budget: Seconds from picture to detections that the recommended design may take with the most classes.
        seconds: How long to measure in each runtime; at least seven rounds.
        models: Design → its `keras.Model`, where there is one already.
        progress: Called with what is being done.

    Raises:
        BadHead: It has no detection head.
        MissingRuntime: A runtime is not installed.
    """
    bench = Bench.of(original, detector)
    variants = list(bench.variants(designs, classes, progress, models or {}))
    measured: list[Measured] = []
    seconds_of, unchanged, rounds = {}, {}, {}
    for name, runtime in runtimes.items():
        contenders = bench.contenders(runtime, variants, _saying(f"{name}: preparing {{}}", progress))
        rounds_done = _saying(f"{name}: round {{}} of {{}}", progress)
        timings = interleave(contenders, rounds=ROUNDS, seconds=seconds, progress=rounds_done)
        seconds_of[name] = timings.of("detector")
        unchanged[name], rounds[name] = timings.ratio(["detector"], ["original"]), timings.rounds
        measured += [judge(name, variant, variants, timings, bench) for variant in variants]
    return Heads(original.name, tuple(measured), seconds_of, unchanged, rounds, CANDIDATES, budget)


def _saying(text: str, progress: Callable[[str], None]) -> Callable[..., None]:
    return lambda *what: progress(text.format(*what))


def judge(runtime: str, variant: Variant, variants: Sequence[Variant], timings: Timings, bench: Bench) -> Measured:
    """What the timings of one run say of one variant."""
    fewest = next(each for each in variants if each.design == variant.design)
    detector, *second = variant.networks
    stages = {
        "preprocessing": timings.of("preprocessing"),
        "backbone": timings.of("backbone"),
        "heads": timings.difference(detector, "backbone"),
        "decoding": timings.of(f"{variant.name} decoding"),
        "suppression": timings.of("suppression"),
    }
    run = ["preprocessing", *variant.networks, f"{variant.name} decoding", "suppression"]
    if variant.design == TWO_STAGE:
        stages |= {"cropping": timings.of("cropping"), "second stage": timings.of(*second)}
        run.append("cropping")
    costs = bench.cost(variant)
    return Measured(
        runtime=runtime,
        design=variant.design,
        classes=variant.classes,
        stages=stages,
        model=timings.of(*variant.networks),
        total=timings.of(*run),
        relative=timings.ratio(run, ["detector"]),
        growth=timings.ratio(variant.networks, fewest.networks),
        ratio=timings.ratio(variant.networks, ["detector"]),
        cost=costs.networks,
        expected=costs.expected,
    )
