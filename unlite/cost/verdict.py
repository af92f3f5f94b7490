"""What was measured of a detector's heads, and what follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
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
# Designs that are no further apart than this, from picture to detections, are as fast: nobody would notice.
AS_FAST = 0.01
# Seconds that people ask for.
DURATIONS = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
# Stages that run once for each detection; all others run once for a picture.
PER_DETECTION = ("cropping", "second stage")


@dataclass(frozen=True, slots=True)
class Measured:
    """One design with so many classes in one runtime.

    Attributes:
        stages: Name → seconds, in the order in which they run.
        model: Seconds of the networks alone: of the detector, and of the second stage if there is one.
        total: Seconds of all stages.
        behind: The same as a multiple of what the fastest design with as many classes takes in the same round: what
            designs are compared by. Its bounds hold for all designs at once.
        seconds_to_tell: About how long it would take to tell whether it is slower than that one; None: that is known.
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
    behind: Spread
    seconds_to_tell: float | None
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
    def is_as_fast(self) -> bool:
        """Whether it is as fast as the fastest with as many classes, or may be for all that the rounds can tell."""
        return self.behind.at_least <= 1 or self.behind.median <= 1 + AS_FAST

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
            "times_fastest": self.behind.as_dict(),
            "as_fast": self.is_as_fast,
            "seconds_to_tell": self.seconds_to_tell,
            "times_fewest_classes": self.growth.as_dict(),
            "times_unchanged": self.ratio.as_dict(),
            "expected_times_unchanged": self.expected,
            "allowed_times_unchanged": self.allowed,
            "slow": self.is_slow,
            "cost": self.cost.as_dict(),
        }


def seconds_to_tell(behind: Spread, spent: float) -> float | None:
    """About how long to measure, to tell two designs apart or to know that they are as fast; None: that is known.

    A median's bounds close in as the square root of the number of values grows. It is a rough estimate: at least twice
    as long as it took.

    Args:
        behind: One as a multiple of the other.
        spent: How many seconds that took.
    """
    if behind.at_least > 1 or behind.at_most <= 1 + AS_FAST:
        return None
    reach = max(behind.median - behind.at_least, behind.at_most - behind.median)
    return spent * max((reach / max(behind.median - 1, AS_FAST)) ** 2, 2)


@dataclass(frozen=True, slots=True)
class Heads:
    """All that was measured of one detector.

    Attributes:
        model: The detector's name.
        measured: By runtime, design, classes.
        seconds: Runtime → what the unchanged detector takes there.
        unchanged: Runtime → the same as a multiple of what it takes in LiteRT with XNNPACK.
        per_class: Runtime → design → seconds that each further class costs from picture to detections; no designs
            where one number of classes was measured.
        rounds: Runtime → number of rounds.
        candidates: How many anchors decoding and suppression had to do with.
        budget: Seconds from picture to detections; None: any.
    """

    model: str
    measured: tuple[Measured, ...]
    seconds: Mapping[str, Spread]
    unchanged: Mapping[str, Spread]
    per_class: Mapping[str, Mapping[str, Spread]]
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
    def as_fast(self) -> list[Measured]:
        """The designs with the most classes of which any may be the fastest from picture to detections."""
        most = max(row.classes for row in self.measured)
        return [row for row in self.rows(self.runtime) if row.classes == most and row.is_as_fast]

    @property
    def best(self) -> Measured:
        """The recommended one of them: the first, for designs are listed from the simplest on."""
        return self.as_fast[0]

    @property
    def seconds_to_tell(self) -> float | None:
        """About how long to measure to tell whether it is slower than the fastest of them, or which that is."""
        needed = [row.seconds_to_tell for row in self.as_fast if row.seconds_to_tell is not None]
        return self.best.seconds_to_tell or max(needed, default=None)

    @property
    def is_met(self) -> bool:
        """Whether the recommended design stays within the budget."""
        return self.budget is None or self.best.total.median <= self.budget

    @property
    def recommendation(self) -> str:
        """One paragraph."""
        best = self.best
        times = f"{best.ratio.median:.2f} times the unchanged {self.model}"
        chosen = (
            f"For {_classes(best.classes)} in {best.runtime}, take {best.design}: {_ms(best.total.median)} from "
            f"picture to detections, of which {_ms(best.model.median)} for the network, {times}."
        )
        more = (*self._ties(), *self._scaling(), *self._others(), *self._slow(), *self._budget())
        return " ".join([chosen, *more])

    def _ties(self) -> Iterator[str]:
        best, *others = self.as_fast
        if not others:
            return
        names, little = _listed([row.design for row in self.as_fast]), f"{100 * AS_FAST:.0f} %"
        if self.seconds_to_tell is None:
            yield f"{names} are as fast, within {little}; {best.design} is the simplest."
            return
        yield (
            f"Which of {names} is the fastest, {self.rounds[self.runtime]} rounds cannot tell; {best.design} is the "
            f"simplest. {_duration(self.seconds_to_tell)} would tell, or show that less than {little} is between them."
        )

    def _scaling(self) -> Iterator[str]:
        best, slope = self.best, self.per_class[self.runtime].get(self.best.design)
        if slope is None:
            return
        fewest = self.rows(best.runtime, best.design)[0]
        grown = f"The network takes {best.growth.median:.2f} times as long as with {_classes(fewest.classes)}"
        is_noticed = slope.median * (best.classes - fewest.classes) > AS_FAST * best.total.median
        is_measurable = is_noticed and slope.at_least > 0
        cost = f"costs {1000 * slope.median:.4f} ms" if is_measurable else "costs nothing that can be measured"
        yield f"{grown}; each further class {cost}."

    def _others(self) -> Iterator[str]:
        best = self.best
        others = [row for row in self.rows(best.runtime) if row.classes == best.classes and row is not best]
        if not others:
            return
        yield f"The other designs: {', '.join(f'{row.design} {_ms(row.total.median)}' for row in others)}."
        each = sum(stage.median for name, stage in best.stages.items() if name in PER_DETECTION)
        second = min(others, key=lambda row: row.behind.median)
        if each:
            apart = max(second.behind.median - best.behind.median, 0) * best.total.median
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
            "recommended": {
                "design": self.best.design,
                "classes": self.best.classes,
                "runtime": self.runtime,
                "as_fast": [row.design for row in self.as_fast if row is not self.best],
                "seconds_to_tell": self.seconds_to_tell,
            },
            "recommendation": self.recommendation,
            "budget_seconds": self.budget,
            "candidates": self.candidates,
            "runtimes": {
                name: {
                    "rounds": self.rounds[name],
                    "unchanged_seconds": self.seconds[name].as_dict(),
                    "unchanged_times_litert": self.unchanged[name].as_dict(),
                    "seconds_per_class": {design: slope.as_dict() for design, slope in self.per_class[name].items()},
                }
                for name in self.unchanged
            },
            "measured": [row.as_dict() for row in self.measured],
        }


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _classes(count: int) -> str:
    return f"{count} class{'es' * (count != 1)}"


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _duration(seconds: float) -> str:
    """Rounded up to what people ask for."""
    if seconds > DURATIONS[-1]:
        return "More than an hour of measuring on a machine as busy as this"
    return f"About {next(each for each in DURATIONS if each >= seconds)} s of measuring"
