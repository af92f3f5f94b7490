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
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original, Progress, run_original
from parity.layerwise.report import report
from parity.layerwise.results import ParityReport
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
