"""`unlite transfer`: plan, transfer, compare, save; nothing is written before everything else is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import converter
from converter.files import whole_file
from converter.match.overrides import read_overrides, starter_table
from converter.match.transfer import Plan, make_plan, transfer
from converter.tflite.model import Model
from parity.candidates.loading import load_model
from parity.layerwise.check import check
from parity.layerwise.original import Progress
from parity.layerwise.results import ParityReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        ok: Whether the model was written.
        report: The comparison; None if there was none.
    """

    plan: Plan
    report: ParityReport | None
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        assignments = [
            {
                "variable": a.path,
                "tensor": a.tensor.name if a.tensor else None,
                "layout": a.layout.name if a.tensor else None,
                "matched_by": a.why.value,
                "note": a.note,
            }
            for a in self.plan.assignments
        ]
        report = self.report.as_dict() if self.report else None
        return {"ok": self.ok, "assignments": assignments, "notes": list(self.plan.notes), "parity": report}


def transfer_into(  # noqa: PLR0913 - settings, by keyword
    original: Model,
    candidate: str,
    output: Path,
    *,
    overrides: Path | None,
    allow_unfed: Sequence[str],
    verify: bool,
    progress: Progress,
) -> Outcome:
    """Transfer, and write the model if it agrees.

    Args:
        original: The file.
        candidate: The model to transfer into, as `parity.candidates.loading.load_model` takes it.
        output: Where to write it.
        overrides: Table of overrides.
        allow_unfed: See `converter.match.transfer.make_plan`. With any, the outputs cannot agree: then every layer that
            got weights has to agree by itself.
        verify: Whether to compare at all.
        progress: Called with what is being done.
    """
    rows = read_overrides(overrides) if overrides else ()
    plan_of = converter.blueprint(original.graph)
    progress("loading the candidate")
    model = load_model(candidate)
    progress("matching")
    plan = make_plan(plan_of, model, rows, allow_unfed)
    transfer(plan)
    report = None
    if verify:
        report = check(original, model, overrides=rows, progress=progress)[0]
    agrees = report is None or report.ok or (plan.has_gaps_on_purpose and report.matched_layers_ok)
    if agrees:
        progress(f"saving {output}")
        converter.save(model, output)
    return Outcome(plan, report, agrees)


def write_starter(  # noqa: PLR0913 - settings, by keyword
    original: Model,
    candidate: str,
    target: Path,
    *,
    overrides: Path | None,
    allow_unfed: Sequence[str],
    progress: Progress,
) -> int:
    """Write a table of overrides to be filled in; returns the number of its rows."""
    rows = read_overrides(overrides) if overrides else ()
    progress("matching")
    plan = make_plan(converter.blueprint(original.graph), load_model(candidate), rows, allow_unfed)
    with whole_file(target) as whole:
        whole.write_text(starter_table(plan.starter), encoding="utf-8")
    return len(plan.starter)
