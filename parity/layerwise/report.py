"""The whole comparison, from two models to a report that names the layer."""

from collections.abc import Sequence

from converter.match.audit import audit
from converter.match.matching import Matching, match
from converter.match.override_pairs import resolve
from converter.match.overrides import Override
from parity.candidates.candidate import Candidate
from parity.layerwise.guilty import _first_without_partner, find_guilty
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original, Progress
from parity.layerwise.results import ParityReport


def match_candidate(original: Original, candidate: Candidate, overrides: Sequence[Override] = ()) -> Matching:
    """Which layer of the candidate is which of the original."""
    given = resolve(overrides, original.network, candidate.network, original.blueprint)
    return match(original.network, candidate.network, given.nodes)


def report(
    original: Original,
    candidate: Candidate,
    overrides: Sequence[Override] = (),
    *,
    with_audit: bool = True,
    progress: Progress | None = None,
) -> tuple[ParityReport, BothModes]:
    """Compare a candidate with an original that has been run.

    Args:
        original: See `run_original`.
        candidate: What to compare.
        overrides: Layers that belong together although neither names nor graph say so.
        with_audit: Whether to compare settings as well; activations alone name the same layer.
        progress: Called with what is being done.

    Returns:
        The report, and the values behind it.
    """
    matching = match_candidate(original, candidate, overrides)
    findings = tuple(audit(original.network, candidate.network, matching)) if with_audit else ()
    modes = BothModes(original, candidate, matching, progress)
    results = modes.results()
    guilty = find_guilty(results, findings, modes.culprit)
    is_whole = all(result.chained and result.chained.ok for result in results if result.is_output)
    if not is_whole and (guilty is None or guilty.mode == "chained"):
        guilty = _first_without_partner(matching) or guilty
    made = ParityReport(
        original.blueprint.name,
        candidate.name,
        len(original.inputs),
        tuple(results),
        guilty,
        findings,
        tuple(_notes(matching, candidate)),
    )
    return made, modes


def _notes(matching: Matching, candidate: Candidate) -> list[str]:
    notes = [f"not compared: {node.name} of the original has no partner" for node in matching.open_ours]
    notes += [f"not compared: {node.name} of the candidate has no partner" for node in matching.open_theirs]
    if not candidate.can_isolate:
        notes.append("the layers of this candidate cannot be run one by one: errors are chained only")
    return notes
