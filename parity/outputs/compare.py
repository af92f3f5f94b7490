"""Measure, then judge. Absence, another shape and non-finite numbers are outcomes, and never pass."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from parity.runners.runtimes import Array

# A conversion that is right differs from LiteRT's plain kernels as XNNPACK does: by the order of sums. That
# spread is one sample of a random quantity; four times as much leaves room for another sample of it. Measured
# on the 14 known models with the three back ends and sixteen inputs: 0.6 of this limit at most. With fewer
# inputs the spread is a matter of chance: both kernel sets sum in a similar order, and may nearly agree on the
# one input that counts (selfie_segmentation_landscape, ten inputs: up to 1.3 times the limit).
SPREADS = 4.0
# Some outputs are so small that both kernel sets agree to the last bit. Then the limit is float32's own: about
# 16 roundings of the largest value (16 × 2⁻²³ ≈ 2e-6), which a network of many layers cannot stay below.
RELATIVE = 2e-6
# Where LiteRT's own kernels are further apart than this share of the output's range, agreeing with one of them
# proves nothing: a model that gives zeros, which is off by half of the range at least, might pass. The worst
# known output is at 1 % (the segmentation mask of pose_landmark_full, as raw logits).
CEILING = 0.1


class Verdict(StrEnum):
    """The outcome for one output."""

    OK = "ok"
    DIFFERS = "differs"
    NOT_FINITE = "not finite"
    OTHER_SHAPE = "other shape"
    ABSENT = "absent"
    EXTRA = "not in the original"
    MIXES_BATCH = "depends on the batch"
    UNDECIDED = "undecided: the kernels disagree"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output of the candidate against the original's.

    Attributes:
        name: The output's.
        shape: The original's, over all inputs.
        error: Largest absolute difference; NaN where it cannot be measured.
        spread: Largest absolute difference between ways to run the original: with its two kernel sets, or where that
            explains too little, with its input rounded otherwise.
        span: Extent of the original's values, zero included.
        limit: What `error` may be.
    """

    name: str
    shape: tuple[int, ...]
    error: float
    spread: float
    span: float
    limit: float
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        error = None if np.isnan(self.error) else self.error
        return asdict(self) | {"shape": list(self.shape), "error": error, "verdict": self.verdict.value}


def compare(name: str, candidate: Array | None, plain: Array, other: Array, *, kernel_error: float = 0.0) -> Comparison:
    """Compare one output.

    Args:
        name: The output's.
        candidate: What the candidate gave; None if it has no such output.
        plain: The original's, with plain kernels.
        other: The original's, run otherwise: with XNNPACK, say.
        kernel_error: What the candidate's runtime is known to be off by here, whatever the model.
    """
    finite = bool(np.isfinite(plain).all() and np.isfinite(other).all())
    spread = float(np.abs(plain - other).max(initial=0)) if finite else 0.0
    span = float(plain.max(initial=0) - plain.min(initial=0)) if finite else 0.0
    limit = max(SPREADS * spread, RELATIVE * span) + kernel_error
    error = float("nan")
    if candidate is None:
        verdict = Verdict.ABSENT
    elif candidate.shape != plain.shape:
        verdict = Verdict.OTHER_SHAPE
    elif not finite or not np.isfinite(candidate).all():
        verdict = Verdict.NOT_FINITE
    else:
        error = float(np.abs(candidate - plain).max(initial=0))
        verdict = Verdict.OK if error <= limit else Verdict.DIFFERS
        if limit > CEILING * span:
            verdict = Verdict.UNDECIDED
    return Comparison(name, plain.shape, error, spread, span, limit, verdict)


def extra(name: str, candidate: Array) -> Comparison:
    """An output that the original does not have."""
    return Comparison(name, candidate.shape, float("nan"), 0.0, 0.0, 0.0, Verdict.EXTRA)
