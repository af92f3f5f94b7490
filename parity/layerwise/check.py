"""The whole comparison, from two models to a report that names the layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.match.audit import audit
from converter.match.matching import Matching, match
from converter.match.override_pairs import resolve
from converter.match.overrides import Override, read_overrides
from converter.tflite.model import Model
from converter.tflite.reader import Source, read
from parity.candidates.candidate import Candidate
from parity.candidates.keras import KerasCandidate
from parity.candidates.loading import load_candidate
from parity.candidates.saved_traces import Recording, SavedTrace
from parity.layerwise.guilty import find_guilty, first_without_partner
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original, Progress, run_original
from parity.layerwise.results import ParityReport
from parity.runners.runtimes import Array


@dataclass(frozen=True)
class Compared:
    """A comparison, and what is behind it.

    Attributes:
        report: The outcome.
        original: What was compared with.
        modes: The candidate's values.
    """

    report: ParityReport
    original: Original
    modes: BothModes

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
    return report(original, loaded, matching, with_audit=with_audit, progress=progress)


def _candidate(given: Any) -> Candidate:
    if isinstance(given, (str, Path)):
        return load_candidate(str(given))
    if hasattr(given, "network"):
        made: Candidate = given
        return made
    return KerasCandidate(given)


def match_candidate(original: Original, candidate: Candidate, overrides: Sequence[Override] = ()) -> Matching:
    """Which layer of the candidate is which of the original."""
    given = resolve(overrides, original.network, candidate.network, original.blueprint)
    return match(original.network, candidate.network, given.nodes)


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
    findings = tuple(audit(original.network, candidate.network, matching)) if with_audit else ()
    modes = BothModes(original, candidate, matching, progress)
    results = modes.results()
    guilty = find_guilty(results, findings, modes.culprit)
    is_whole = all(result.chained and result.chained.ok for result in results if result.is_output)
    if not is_whole and (guilty is None or guilty.mode == "chained"):
        guilty = first_without_partner(matching) or guilty
    made = ParityReport(
        model=original.blueprint.name,
        candidate=candidate.name,
        inputs=len(original.inputs),
        layers=tuple(results),
        guilty=guilty,
        findings=findings,
        notes=tuple(_notes(matching, candidate)),
    )
    return Compared(made, original, modes)


def _notes(matching: Matching, candidate: Candidate) -> list[str]:
    notes = [f"not compared: {node.name} of the original has no partner" for node in matching.open_ours]
    notes += [f"not compared: {node.name} of the candidate has no partner" for node in matching.open_theirs]
    if not candidate.can_isolate:
        notes.append("the layers of this candidate cannot be run one by one: errors are chained only")
    return notes
