"""One call from two models to a report, and one that raises when they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converter.match.overrides import Override, read_overrides
from converter.tflite.model import Model
from converter.tflite.reader import Source, read
from parity.candidates.candidate import Candidate
from parity.candidates.keras import KerasCandidate
from parity.candidates.loading import load_candidate
from parity.candidates.saved_traces import SavedTrace
from parity.layerwise.original import Progress, run_original
from parity.layerwise.report import Compared, match_candidate, report
from parity.runners.types import Array


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
