"""A table of overrides that the numbers speak against: what comes of it, and what without it."""

from dataclasses import replace

from converter.match.matching import Matching
from parity.layerwise.results import Guilty, LayerResult, ParityReport


def contradicted_row(told: ParityReport, found: ParityReport, matching: Matching) -> Guilty | None:
    """A row that pairs two layers which do not compute the same, though without it a partner is found that does.

    Args:
        told: The comparison with the table.
        found: The comparison without it.
        matching: With the table.
    """
    for pair in matching.overridden():
        told_result, found_result = (_of(report, pair.ours) for report in (told, found))
        if not told_result or not found_result or told_result.layer == found_result.layer:
            continue
        wrong, right = told_result.isolated, found_result.isolated
        if wrong and right and not wrong.ok and right.ok:
            off = "of another form" if wrong.max_abs is None else f"off by up to {wrong.max_abs:.3g}"
            why = (
                f"the table of overrides says that it is {pair.ours.name}, and as such it is {off} (allowed "
                f"{told_result.limit:.3g}); {found_result.layer} is {pair.ours.name}, off by {right.max_abs:.3g}"
            )
            return Guilty(pair.theirs.name, told_result.tensor, told_result.op, "isolated", why)
    return None


def contradicted_table(told: ParityReport, found: ParityReport) -> ParityReport:
    """A comparison after a transfer with a table, which says so if the same model agrees without the table.

    Args:
        told: The comparison after a transfer with the table.
        found: The comparison after a transfer without it.
    """
    if told.ok or not found.ok or told.guilty is None:
        return told
    pairs = [(a, b) for a in told.layers for b in found.layers if a.is_output and a.tensor == b.tensor and b.is_output]
    output, other = next((a, b) for a, b in pairs if a.chained and not a.chained.ok)
    errors = [result.chained.max_abs if result.chained else None for result in (output, other)]
    with_it, without = ("of another form" if error is None else f"off by {error:.3g}" for error in errors)
    why = (
        f"the table of overrides contradicts the numbers: with it {output.tensor} is {with_it} (allowed "
        f"{output.chained_limit:.3g}), without it {without}"
    )
    return replace(told, guilty=replace(told.guilty, why=f"{told.guilty.why}; {why}"))


def _of(report: ParityReport, node: object) -> LayerResult | None:
    return next((result for result in report.layers if result.match and result.match.ours is node), None)
