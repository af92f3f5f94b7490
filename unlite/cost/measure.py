"""What a head for n classes costs: every design, number of classes and runtime, with the stages apart."""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from converter.detectors.table import Detector
from converter.errors import BadHead, BadInput
from converter.surgery.heads import Design
from converter.tflite.model import Model
from unlite.cost.bench import Bench
from unlite.cost.countdown import Countdown, Say, spelled
from unlite.cost.findings import Findings
from unlite.cost.latency import FEWEST, Timings, interleave
from unlite.cost.runtimes import Runtime
from unlite.cost.verdict import Heads

Watch = Callable[[Heads], None]

CLASSES = (1, 2, 7, 20, 91)
# From the simplest on.
DESIGNS: tuple[Design, ...] = get_args(Design)
# Per runtime, where nobody says how long.
SECONDS, ROUNDS = 20.0, 300
# What is known is said no more often than once in so many seconds, nor than once in so many times as long as it takes.
SHOWN_EVERY, SHARE = 1.0, 20
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
    seconds: float | None = None,
    models: Mapping[Design, Any] | None = None,
    progress: Say = lambda _: None,
    watch: Watch | None = None,
) -> Heads:
    """Measure every design with every number of classes in every runtime.

    Args:
        original: A detector's file.
        runtimes: See `unlite.cost.runtimes.parse_runtimes`; recommendation and budget are about the first.
        designs: Of `converter.surgery.heads.Design`.
        classes: Numbers of classes, ascending.
        detector: What the file's tensors mean; default: the known detector that has such tensors.
        budget: Seconds from picture to detections that the recommended design may take with the most classes.
        seconds: How long to measure in each runtime, at least nine rounds; default: 20, or 300 rounds if that is less.
        models: Design → its `keras.Model`, where there is one already.
        progress: Called with what is being done, and about how long everything will still take.
        watch: Called with all that is known, from the first rounds on, and again while it gets more certain.

    Raises:
        BadHead: It has no detection head.
        MissingRuntime: A runtime is not installed.
    """
    bench = Bench.of(original, detector)
    count, each = len(designs) * len(classes), SECONDS if seconds is None else seconds
    building = Countdown(progress, count, later_steps=count * len(runtimes), later_seconds=each * len(runtimes))
    variants = list(bench.variants(designs, classes, building, models or {}))
    findings = Findings(bench, variants, budget)
    for name, runtime in runtimes.items():
        later = len(runtimes) - len(findings.rounds) - 1
        preparing = Countdown(progress, count, later_steps=count * later, later_seconds=each * (later + 1))
        contenders = bench.contenders(runtime, variants, _saying(f"{name}: preparing {{}}", preparing))
        watching = _Watching(name, findings, later * (each + preparing.elapsed), progress, watch)
        rounds = ROUNDS if seconds is None else sys.maxsize
        timings = interleave(contenders, rounds=rounds, seconds=each, progress=watching)
        findings.add(name, timings)
    return findings.heads()


def _saying(text: str, say: Say) -> Say:
    return lambda what: say(text.format(what))


@dataclass(slots=True)
class _Watching:
    """After each round: says how far it is, and now and then what is known.

    Attributes:
        later: Seconds that all runtimes after this one will take.
        due: When to say again what is known.
    """

    runtime: str
    findings: Findings
    later: float
    say: Say
    watch: Watch | None
    due: float = 0.0

    def __call__(self, timings: Timings, expected: int) -> None:
        left = timings.total / timings.rounds * (expected - timings.rounds) + self.later
        self.say(f"{self.runtime}: round {timings.rounds} of {expected}, {spelled(left)} left")
        start = time.monotonic()
        if self.watch and timings.rounds >= FEWEST and start >= self.due:
            self.findings.add(self.runtime, timings)
            self.watch(self.findings.heads())
            now = time.monotonic()
            self.due = now + max(SHOWN_EVERY, SHARE * (now - start))
