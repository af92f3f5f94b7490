"""How far one tensor is from another, and what is allowed: measured first, judged afterwards."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parity.outputs.compare import CEILING, RELATIVE, Verdict
from parity.runners.runtimes import Array


@dataclass(frozen=True, slots=True)
class Statistics:
    """One tensor of the candidate against the original's, over all inputs.

    Attributes:
        verdict: Whether the largest error is within the limit.
        max_abs: Largest absolute difference; None where it cannot be measured.
        mean_abs: Mean absolute difference.
        relative: `max_abs` as a share of the extent of the original's values.
        cosine: Cosine similarity of the two as vectors; the lowest of all inputs.
        share_out: Share of the elements that are further off than the limit.
        non_finite: Elements of the candidate that are NaN or infinite.
    """

    verdict: Verdict
    max_abs: float | None = None
    mean_abs: float | None = None
    relative: float | None = None
    cosine: float | None = None
    share_out: float | None = None
    non_finite: int = 0

    @property
    def ok(self) -> bool:
        """Whether the tensor is what it should be."""
        return self.verdict is Verdict.OK

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"verdict": self.verdict.value}


def span_of(arrays: list[Array]) -> float:
    """Extent of the values, zero included; 0 for what is not finite."""
    low = min((float(array.min(initial=0)) for array in arrays), default=0.0)
    high = max((float(array.max(initial=0)) for array in arrays), default=0.0)
    return high - low if np.isfinite(high - low) else 0.0


def measure(candidate: list[Array | None], original: list[Array], limit: float, span: float) -> Statistics:
    """Compare one tensor over all inputs.

    Args:
        candidate: What the candidate computed, per input; None if it computed nothing.
        original: The original's, per input.
        limit: What the largest error may be.
        span: Extent of the original's values.
    """
    if not original or any(array is None for array in candidate):
        return Statistics(Verdict.ABSENT)
    pairs = [(a, b) for a, b in zip(candidate, original, strict=True) if a is not None]
    if any(made.shape != reference.shape for made, reference in pairs):
        return Statistics(Verdict.OTHER_SHAPE)
    with np.errstate(invalid="ignore"):
        errors = [np.abs(made - reference) for made, reference in pairs]
    maxima = [float(error.max(initial=0)) for error in errors]
    if not np.isfinite(maxima).all():  # one of the two is not finite somewhere
        non_finite = sum(made.size - int(np.isfinite(made).sum()) for made, _ in pairs)
        return Statistics(Verdict.NOT_FINITE, non_finite=non_finite)
    largest = max(maxima)
    elements = sum(error.size for error in errors) or 1
    verdict = Verdict.OK if largest <= limit else Verdict.DIFFERS
    # Beyond the ceiling anything might pass, but what agrees to float32's own roundings is right all the same.
    is_undecided = limit > CEILING * span and largest > RELATIVE * span
    return Statistics(
        Verdict.UNDECIDED if is_undecided else verdict,
        largest,
        sum(float(error.sum(dtype=np.float64)) for error in errors) / elements,
        largest / span if span else None,
        min(_cosine(made, reference) for made, reference in pairs) if largest else 1.0,
        sum(int((error > limit).sum()) for error in errors) / elements if largest > limit else 0.0,
        0,
    )


def _cosine(a: Array, b: Array) -> float:
    a, b = a.ravel(), b.ravel()
    product = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.dot(a, b)) / product if product else float(not (a.any() or b.any()))
