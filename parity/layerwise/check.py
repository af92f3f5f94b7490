"""The whole comparison, from two models to a report that names the layer."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter.match.alignment.numbers import kernel_digests
from converter.match.audit import Finding, audit
from converter.match.matching import Matching, match
from converter.match.network import Pair
from converter.match.override_pairs import resolve
from converter.match.overrides import Override, read_overrides
from converter.ops.forms import Node
from converter.tflite.model import Model
from converter.tflite.reader import Source, read
from parity.candidates.candidate import Candidate
from parity.candidates.keras import KerasCandidate
from parity.candidates.loading import load_candidate
from parity.candidates.saved_traces import Recording, SavedTrace
from parity.layerwise.contradictions import contradicted_row
from parity.layerwise.guilty import find_guilty
from parity.layerwise.judging import Judge
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original, Progress, run_original
from parity.layerwise.results import LayerResult, ParityReport
from parity.runners.runtimes import Array


@dataclass(frozen=True)
class Compared:
    """A comparison, and what is behind it.

    Attributes:
        report: The outcome.
        original: What was compared with.
        modes: The candidate's values.
        matching: Which layer is which, and why.
    """

    report: ParityReport
    original: Original
    modes: BothModes
    matching: Matching

    def recording(self) -> Recording:
        """What `save_trace` writes."""
        names = self.report.candidate, self.report.model
        return Recording(*names, self.original.inputs, self.modes.by_value(), self.modes.real)


def check(  # noqa: PLR0913 - settings, by keyword
    model: Source | Model,
    candidate: Any,
    *,
    overrides: Path | Sequence[Override] = (),
    inputs: Sequence[Sequence[Array]] | None = None,
    seeds: int = 1,
    with_audit: bool = True,
    progress: Progress | None = None,
) -> Compared:
    """See `parity.layers`; also returns what is behind the report."""
    rows = read_overrides(overrides) if isinstance(overrides, Path) else tuple(overrides)
    original_model = model if isinstance(model, Model) else read(model)
    loaded = _candidate(candidate)
    if isinstance(loaded, SavedTrace):
        inputs = loaded.inputs
    original = run_original(original_model, inputs, seeds=seeds, progress=progress)
    if isinstance(loaded, SavedTrace):
        loaded.attach(original.network)
    matching = match_candidate(original, loaded, rows)
    compared = report(original, loaded, matching, with_audit=with_audit, progress=progress)
    if compared.report.ok or not rows:
        return compared
    without = report(original, loaded, with_audit=with_audit).report
    guilty = contradicted_row(compared.report, without, compared.matching) or compared.report.guilty
    return replace(compared, report=replace(compared.report, guilty=guilty))


def _candidate(given: Any) -> Candidate:
    if isinstance(given, (str, Path)):
        return load_candidate(str(given))
    if hasattr(given, "network"):
        made: Candidate = given
        return made
    return KerasCandidate(given)


def match_candidate(
    original: Original,
    candidate: Candidate,
    overrides: Sequence[Override] = (),
    *,
    given: Matching | None = None,
    computed: Iterable[Pair[Node]] = (),
) -> Matching:
    """Which layer of the candidate is which of the original.

    Args:
        original: The original.
        candidate: The candidate.
        overrides: Rows of a table.
        given: What was found before: its overrides count again.
        computed: Pairs of which the candidate's was seen to compute what the original's does.
    """
    ours, theirs = original.network, candidate.network
    fixed = resolve(overrides, ours, theirs, original.blueprint).nodes
    fixed += given.overridden() if given else []
    numbers = kernel_digests(ours, original.weight), kernel_digests(theirs, candidate.weight)
    return match(ours, theirs, fixed, numbers=numbers, computed=computed)


def report(
    original: Original,
    candidate: Candidate,
    matching: Matching | None = None,
    *,
    with_audit: bool = True,
    progress: Progress | None = None,
) -> Compared:
    """Compare a candidate with an original that has been run.

    Args:
        original: See `run_original`.
        candidate: What to compare.
        matching: Which layer is which; default: what `match_candidate` says without overrides.
        with_audit: Whether to compare settings as well; activations alone name the same layer.
        progress: Called with what is being done.
    """
    matching = matching or match_candidate(original, candidate)
    modes, judge, found, results = _compared(original, candidate, matching, progress)
    computed = judge.computing_the_same()
    if computed:
        matching = match_candidate(original, candidate, given=matching, computed=computed)
        modes, judge, found, results = _compared(original, candidate, matching, progress)
    refuted = judge.refuted(found, results)
    findings = tuple(f for f in found if f not in refuted) if with_audit else ()
    made = ParityReport(
        model=original.blueprint.name,
        candidate=candidate.name,
        inputs=len(original.inputs),
        layers=tuple(results),
        guilty=find_guilty(results, findings, judge, matching),
        findings=findings,
        notes=tuple(_notes(matching, candidate, {f.ours or f.theirs for f in refuted})),
    )
    return Compared(made, original, modes, matching)


def _compared(
    original: Original, candidate: Candidate, matching: Matching, progress: Progress | None
) -> tuple[BothModes, Judge, list[Finding], list[LayerResult]]:
    found = audit(original.network, candidate.network, matching, in_order=not candidate.has_named_outputs)
    modes = BothModes(original, candidate, matching, progress)
    judge = Judge(original, candidate, modes, matching, found)
    return modes, judge, found, judge.results()


def _notes(matching: Matching, candidate: Candidate, proven: Collection[Node | None]) -> list[str]:
    sides = (("original", matching.open_ours), ("candidate", matching.open_theirs))
    notes = [
        f"not compared: {node.name} of the {side} has no partner"
        for side, nodes in sides
        for node in nodes
        if node not in proven
    ]
    notes += [
        f"{ends.ours.name} is part of the candidate's output {ends.packed.name}"
        for ends in matching.outputs
        if ends.packed
    ]
    if not candidate.can_isolate:
        notes.append("the layers of this candidate cannot be run one by one: errors are chained only")
    return notes
