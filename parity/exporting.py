"""`unlite export`: write, compare with the Keras model, save; nothing is written before everything else is done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import parity
from converter.emitters import UnknownLayer
from converter.errors import CannotExport
from converter.graph import Model
from converter.keras_export import keras_export
from converter.reader import read
from converter.rewrite import builtin_only
from converter.saving import whole_file
from converter.writer import StorageType, Writer
from parity.layerwise import Progress
from parity.loading import load_model
from parity.reference import Reference
from parity.verification import Verification, seeded_inputs

SEEDS = 8


@dataclass(frozen=True, slots=True)
class Rounding:
    """What storing the weights as they are stored changes in one output.

    Attributes:
        name: The output's.
        error: Largest absolute difference from the same file with float32 weights.
        span: Extent of the output.
    """

    name: str
    error: float
    span: float


@dataclass(frozen=True, slots=True)
class Export:
    """What came of it.

    Attributes:
        data: The new file.
        verification: The file with float32 weights against the Keras model; None if not asked for.
        rounding: Per output; empty if not asked for.
        is_unchanged: Whether the new file is the original, byte for byte.
        is_anew: Whether nothing of the new file is the original's.
        changes: Where the model differs from the original, one sentence each.
        notes: What was done otherwise than asked, and why.
    """

    data: bytes
    verification: Verification | None
    rounding: tuple[Rounding, ...]
    is_unchanged: bool
    is_anew: bool = False
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was written."""
        return self.verification is None or self.verification.ok

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.ok,
            "bytes": len(self.data),
            "unchanged": self.is_unchanged,
            "changes": list(self.changes),
            "notes": list(self.notes),
            "verification": self.verification.as_dict() if self.verification else None,
            "rounding": [{"name": r.name, "error": r.error, "span": r.span} for r in self.rounding],
        }


@dataclass(frozen=True, slots=True)
class Settings:
    """How to export.

    Attributes:
        dtype: See `converter.writer.Writer.write`.
        only_builtin: Whether to replace MediaPipe's transposed convolution by the builtin one.
        allow_changes: See `converter.writer.Writer`.
        verify: Whether to compare.
    """

    dtype: StorageType | None = None
    only_builtin: bool = False
    allow_changes: bool = False
    verify: bool = True


def export(
    original: Model | None,
    candidate: str,
    output: Path,
    settings: Settings,
    progress: Progress = lambda _: None,
) -> Export:
    """Write a Keras model into the file that it was made from, or without one.

    With float32 weights the file has to compute what the Keras model computes, within the tolerance of `unlite
    convert`; that shows that every weight is where it belongs. What float16 then rounds off is measured, not judged.

    Args:
        original: The file.
        candidate: The model, as `parity.loading.load_model` takes it.
        output: Where to write the new file.
        settings: How.
        progress: Called with what is being done.
    """
    progress("loading the model")
    model = load_model(candidate)
    progress("writing")
    files = _write(original, model, settings, progress)
    verification, rounding = None, tuple[Rounding, ...]()
    if settings.verify:
        exact = read(files.exact)
        verification = parity.verify(
            exact, model, seeds=SEEDS, progress=lambda done, all_: progress(f"verifying, input {done}/{all_}")
        )
        progress("measuring what storage rounds off")
        rounding = _rounding(exact, read(files.data))
    made = Export(
        files.data,
        verification,
        rounding,
        original is not None and files.data == bytes(original.data),
        original is None or bool(files.notes),
        files.changes,
        files.notes,
    )
    if made.ok:
        with whole_file(output) as whole:
            whole.write_bytes(files.data)
    return made


@dataclass(frozen=True, slots=True)
class _Files:
    """The file as asked for, the same with float32 weights, and what is to be told."""

    data: bytes
    exact: bytes
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _write(original: Model | None, model: Any, settings: Settings, progress: Progress) -> _Files:
    try:
        writer = Writer(original, model, allow_changes=settings.allow_changes)
        data, exact = writer.write(settings.dtype), writer.write("float32")
    except UnknownLayer as unknown:
        if settings.dtype == "float16":
            raise CannotExport(f"{unknown}, and Keras's own export stores float32 only") from unknown
        progress("Keras's own LiteRT export")
        data = exact = keras_export(model)
        return _Files(data, exact, notes=(f"{unknown}; Keras's own LiteRT export wrote the whole file",))
    if settings.only_builtin:
        data, exact = builtin_only(memoryview(data)), builtin_only(memoryview(exact))
    return _Files(data, exact, writer.changes)


def _rounding(exact: Model, stored: Model) -> tuple[Rounding, ...]:
    inputs = seeded_inputs(exact.graph, SEEDS)
    runs = [[Reference(model).plain(x) for x in inputs] for model in (exact, stored)]
    made = []
    for place, index in enumerate(exact.graph.outputs):
        truth, other = (np.stack([outputs[place] for outputs in run]) for run in runs)
        made.append(Rounding(exact.graph.tensors[index].name, float(np.abs(truth - other).max()), float(np.ptp(truth))))
    return tuple(made)
