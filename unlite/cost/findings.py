"""What timings say of each design with so many classes."""

from collections.abc import Iterator, Sequence
from statistics import linear_regression, median

from unlite.cost.bench import CANDIDATES, TWO_STAGE, Bench, Variant
from unlite.cost.latency import CHANCE, Spread, Timings, spread
from unlite.cost.verdict import Heads, Measured, seconds_to_tell


class Findings:
    """What the timings say, as far as there are some.

    Attributes:
        rounds: Runtime → number of rounds.
    """

    def __init__(self, bench: Bench, variants: Sequence[Variant], budget: float | None) -> None:
        self._bench, self._variants, self._budget = bench, variants, budget
        self._measured: dict[str, list[Measured]] = {}
        self._seconds: dict[str, Spread] = {}
        self._unchanged: dict[str, Spread] = {}
        self._per_class: dict[str, dict[str, Spread]] = {}
        self.rounds: dict[str, int] = {}

    def add(self, runtime: str, timings: Timings) -> None:
        """What was measured in a runtime, in place of what it said before."""
        self._measured[runtime] = [
            judge(runtime, each, self._variants, timings, self._bench) for each in self._variants
        ]
        self._seconds[runtime] = timings.of("detector")
        self._unchanged[runtime] = timings.ratio(["detector"], ["original"])
        self._per_class[runtime] = dict(per_class(self._variants, timings))
        self.rounds[runtime] = timings.rounds

    def heads(self) -> Heads:
        """All of it."""
        return Heads(
            self._bench.original.name,
            tuple(row for rows in self._measured.values() for row in rows),
            dict(self._seconds),
            dict(self._unchanged),
            dict(self._per_class),
            dict(self.rounds),
            CANDIDATES,
            self._budget,
        )


def judge(runtime: str, variant: Variant, variants: Sequence[Variant], timings: Timings, bench: Bench) -> Measured:
    """What the timings of one run say of one variant."""
    fewest = next(each for each in variants if each.design == variant.design)
    behind = _behind(variant, variants, timings)
    detector, *second = variant.networks
    stages = {
        "preprocessing": timings.of("preprocessing"),
        "backbone": timings.of("backbone"),
        "heads": timings.difference(detector, "backbone"),
        "decoding": timings.of(variant.decoding),
        "suppression": timings.of("suppression"),
    }
    if variant.design == TWO_STAGE:
        stages |= {"cropping": timings.of("cropping"), "second stage": timings.of(*second)}
    costs = bench.cost(variant)
    return Measured(
        runtime=runtime,
        design=variant.design,
        classes=variant.classes,
        stages=stages,
        model=timings.of(*variant.networks),
        total=timings.of(*variant.run),
        behind=behind,
        seconds_to_tell=seconds_to_tell(behind, timings.total),
        growth=timings.ratio(variant.networks, fewest.networks),
        ratio=timings.ratio(variant.networks, ["detector"]),
        cost=costs.networks,
        expected=costs.expected,
    )


def _behind(variant: Variant, variants: Sequence[Variant], timings: Timings) -> Spread:
    """What it takes as a multiple of the fastest with as many classes.

    Whichever is the fastest in truth is taken for slower with no more than the usual chance, over all comparisons: each
    is allowed its part of it. Source: Gupta, On Some Multiple Decision (Selection and Ranking) Rules, Technometrics 7,
    1965.
    """
    rivals = [each for each in variants if each.classes == variant.classes]
    fastest = min(rivals, key=lambda each: median(timings.ratios(each.run, ["detector"])))
    return timings.ratio(variant.run, fastest.run, CHANCE / max(len(rivals) - 1, 1))


def per_class(variants: Sequence[Variant], timings: Timings) -> Iterator[tuple[str, Spread]]:
    """Design → seconds that each further class costs from picture to detections; none where one number was measured.

    The slopes of the regression lines of all rounds. They are of ratios to the unchanged detector in the same round,
    which repeat better than seconds do.
    """
    unchanged = timings.of("detector").median
    for design in dict.fromkeys(each.design for each in variants):
        rows = [each for each in variants if each.design == design]
        classes = [each.classes for each in rows]
        if len(classes) > 1:
            rounds = zip(*(timings.ratios(each.run, ["detector"]) for each in rows), strict=True)
            yield design, spread([unchanged * linear_regression(classes, round_).slope for round_ in rounds])
