"""What was measured of a detector's heads, and what follows from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor
from statistics import linear_regression
from typing import Any

from converter.blueprints.cost import Cost
from unlite.cost.latency import Spread

# By how much the work that a head adds may take longer than the same amount of the detector's own work. Kernels
# compute channels in blocks of 8 or 16, so that 9 may cost as much as 16; and the logits are more than a cache holds.
# A head whose weights are read as variables, or that is computed element by element, is far above that.
PER_WORK = 2.0
# What is not worth a verdict, as a share of the detector: a few operators more have fixed costs, and one detector's
# two copies in one run on a busy machine have been up to 2 % apart.
NOISE = 0.05
# Designs that are no further apart than this, from picture to detections, are as fast: medians of ratios repeat within
# one percent.
AS_FAST = 0.01
# Stages that run once for each detection; all others run once for a picture.
PER_DETECTION = ("cropping", "second stage")


@dataclass(frozen=True, slots=True)
class Measured:
    """One design with so many classes in one runtime.

    Attributes:
        stages: Name → seconds, in the order in which they run.
        model: Seconds of the networks alone: of the detector, and of the second stage if there is one.
        total: Seconds of all stages.
        relative: The same as a multiple of the unchanged detector in the same round: what designs are compared by.
        growth: `model` as a multiple of the same design's with the fewest classes.
        ratio: `model` as a multiple of the unchanged detector's in the same runtime.
        cost: Of the networks.
        expected: `ratio` as multiply-adds or bytes would have it, whichever is larger.
    """

    runtime: str
    design: str
    classes: int
    stages: Mapping[str, Spread]
    model: Spread
    total: Spread
    relative: Spread
    growth: Spread
    ratio: Spread
    cost: Cost
    expected: float

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.design} with {self.classes} class{'es' * (self.classes != 1)} in {self.runtime}"

    @property
    def allowed(self) -> float:
        """The `ratio` from which on it is slow."""
        return 1 + NOISE + PER_WORK * max(self.expected - 1, 0)

    @property
    def is_slow(self) -> bool:
        """Whether it takes longer than multiply-adds and bytes explain, and not by chance."""
        return not self.ratio.at_least <= self.allowed  # so written, NaN is slow

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "runtime": self.runtime,
            "design": self.design,
            "classes": self.classes,
            "stages_seconds": {name: stage.as_dict() for name, stage in self.stages.items()},
            "model_seconds": self.model.as_dict(),
            "total_seconds": self.total.as_dict(),
            "times_fewest_classes": self.growth.as_dict(),
            "times_unchanged": self.ratio.as_dict(),
            "expected_times_unchanged": self.expected,
            "allowed_times_unchanged": self.allowed,
            "slow": self.is_slow,
            "cost": self.cost.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Heads:
    """All that was measured of one detector.

    Attributes:
        model: The detector's name.
        measured: By runtime, design, classes.
        seconds: Runtime → what the unchanged detector takes there.
        unchanged: Runtime → the same as a multiple of what it takes in LiteRT with XNNPACK.
        rounds: Runtime → number of rounds.
        candidates: How many anchors decoding and suppression had to do with.
        budget: Seconds from picture to detections; None: any.
    """

    model: str
    measured: tuple[Measured, ...]
    seconds: Mapping[str, Spread]
    unchanged: Mapping[str, Spread]
    rounds: Mapping[str, int]
    candidates: int
    budget: float | None = None

    @property
    def runtime(self) -> str:
        """The one that recommendation and budget are about: the first that was asked for."""
        return self.measured[0].runtime

    def rows(self, runtime: str, design: str | None = None) -> list[Measured]:
        """Those of one runtime, and of one design."""
        return [row for row in self.measured if row.runtime == runtime and design in (None, row.design)]

    @property
    def designs(self) -> tuple[str, ...]:
        """All that were measured, in that order."""
        return tuple(dict.fromkeys(row.design for row in self.measured))

    @property
    def best(self) -> Measured:
        """The recommended design, with the most classes.

        The fastest from picture to detections; of those that are as fast, the first: designs are listed from the
        simplest on.
        """
        most = max(row.classes for row in self.measured)
        rows = [row for row in self.rows(self.runtime) if row.classes == most]
        fastest = min(row.relative.median for row in rows)
        return next(row for row in rows if row.relative.median <= (1 + AS_FAST) * fastest)

    @property
    def is_met(self) -> bool:
        """Whether the recommended design stays within the budget."""
        return self.budget is None or self.best.total.median <= self.budget

    def per_class(self, design: str, runtime: str | None = None) -> float | None:
        """Seconds that each further class costs from picture to detections; None where one number was measured.

        From ratios within each round, which repeat better than seconds do.
        """
        runtime = runtime or self.runtime
        rows = self.rows(runtime, design)
        if len(rows) < 2:
            return None
        slope = linear_regression([row.classes for row in rows], [row.relative.median for row in rows]).slope
        return slope * self.seconds[runtime].median

    @property
    def recommendation(self) -> str:
        """One paragraph."""
        best = self.best
        times = f"{best.ratio.median:.2f} times the unchanged {self.model}"
        chosen = (
            f"For {_classes(best.classes)} in {best.runtime}, take {best.design}: {_ms(best.total.median)} from "
            f"picture to detections, of which {_ms(best.model.median)} for the network, {times}."
        )
        return " ".join([chosen, *self._scaling(), *self._others(), *self._slow(), *self._budget()])

    def _scaling(self) -> Iterator[str]:
        best, slope = self.best, self.per_class(self.best.design)
        if slope is None:
            return
        fewest = self.rows(best.runtime, best.design)[0]
        grown = f"The network takes {best.growth.median:.2f} times as long as with {_classes(fewest.classes)}"
        is_measurable = slope * (best.classes - fewest.classes) > AS_FAST * best.total.median
        cost = f"costs {1000 * slope:.4f} ms" if is_measurable else "costs nothing that can be measured"
        yield f"{grown}; each further class {cost}."

    def _others(self) -> Iterator[str]:
        best = self.best
        others = [row for row in self.rows(best.runtime) if row.classes == best.classes and row is not best]
        if not others:
            return
        yield f"The other designs: {', '.join(f'{row.design} {_ms(row.total.median)}' for row in others)}."
        each = sum(stage.median for name, stage in best.stages.items() if name in PER_DETECTION)
        second = min(others, key=lambda row: row.relative.median)
        if each:
            apart = max(second.relative.median - best.relative.median, 0) * self.seconds[self.runtime].median
            enough = 2 + floor(apart / each)
            yield (
                f"Its second stage takes {_ms(each)} for each detection: for {enough} or more in a picture, "
                f"{second.design} is faster."
            )

    def _slow(self) -> Iterator[str]:
        for row in self.rows(self.runtime):
            if row.is_slow:
                yield (
                    f"SLOW: {row.name} takes {row.ratio.median:.2f} times the unchanged detector; multiply-adds and "
                    f"bytes explain {row.expected:.2f}, and {row.allowed:.2f} would pass."
                )

    def _budget(self) -> Iterator[str]:
        if self.budget is None:
            return
        apart = abs(self.budget - self.best.total.median)
        if self.is_met:
            yield f"The budget of {_ms(self.budget)} is met, with {_ms(apart)} to spare."
        else:
            yield f"The budget of {_ms(self.budget)} is MISSED by {_ms(apart)}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.is_met,
            "model": self.model,
            "recommended": {"design": self.best.design, "classes": self.best.classes, "runtime": self.runtime},
            "recommendation": self.recommendation,
            "budget_seconds": self.budget,
            "candidates": self.candidates,
            "runtimes": {
                name: {
                    "rounds": self.rounds[name],
                    "unchanged_seconds": self.seconds[name].as_dict(),
                    "unchanged_times_litert": self.unchanged[name].as_dict(),
                    "seconds_per_class": {design: self.per_class(design, name) for design in self.designs},
                }
                for name in self.unchanged
            },
            "measured": [row.as_dict() for row in self.measured],
        }


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _classes(count: int) -> str:
    return f"{count} class{'es' * (count != 1)}"
