"""One call from two models to a report, and one that raises when they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converter.graph import Model
from converter.overrides import Override, read_overrides
from converter.reader import Source, read
from parity.candidates import Candidate, KerasCandidate
from parity.layerwise import BothModes, Original, ParityReport, Progress
from parity.loading import load_candidate
from parity.report import report, run_original
from parity.runners import Array
from parity.saved_traces import SavedTrace


def check(  # noqa: PLR0913 - settings, by keyword
    model: Source | Model,
    candidate: Any,
    *,
    overrides: Path | Sequence[Override] = (),
    inputs: Sequence[Sequence[Array]] | None = None,
    seeds: int = 1,
    with_audit: bool = True,
    progress: Progress | None = None,
) -> tuple[ParityReport, Original, BothModes]:
    """See `parity.layers`; also returns what is behind the report."""
    rows = read_overrides(overrides) if isinstance(overrides, Path) else tuple(overrides)
    original_model = model if isinstance(model, Model) else read(model)
    loaded = _candidate(candidate)
    if isinstance(loaded, SavedTrace):
        inputs = loaded.inputs
    original = run_original(original_model, inputs, seeds=seeds, progress=progress)
    if isinstance(loaded, SavedTrace):
        loaded.attach(original.network)
    made, modes = report(original, loaded, rows, with_audit=with_audit, progress=progress)
    return made, original, modes


def _candidate(given: Any) -> Candidate:
    if isinstance(given, (str, Path)):
        return load_candidate(str(given))
    if hasattr(given, "network"):
        made: Candidate = given
        return made
    return KerasCandidate(given)
