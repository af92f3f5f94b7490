"""`unlite export`: write, compare with the Keras model, save; nothing is written before everything else is done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import parity
from converter.graph import Model
from converter.reader import read
from converter.rewrite import builtin_only
from converter.saving import whole_file
from converter.writer import StorageType, write
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
    """

    data: bytes
    verification: Verification | None
    rounding: tuple[Rounding, ...]
    is_unchanged: bool

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
            "verification": self.verification.as_dict() if self.verification else None,
            "rounding": [{"name": r.name, "error": r.error, "span": r.span} for r in self.rounding],
        }


def export(  # noqa: PLR0913 - settings, by keyword
    original: Model,
    candidate: str,
    output: Path,
    *,
    dtype: StorageType | None = None,
    only_builtin: bool = False,
    verify: bool = True,
    progress: Progress = lambda _: None,
) -> Export:
    """Write a Keras model into the file that it was made from.

    With float32 weights the file has to compute what the Keras model computes, within the tolerance of `unlite
    convert`; that shows that every weight is where it belongs. What float16 then rounds off is measured, not judged.

    Args:
        original: The file.
        candidate: The model, as `parity.loading.load_model` takes it.
        output: Where to write the new file.
        dtype: See `converter.writer.write`.
        only_builtin: Whether to replace MediaPipe's transposed convolution by the builtin one.
        verify: Whether to compare.
        progress: Called with what is being done.
    """
    progress("loading the model")
    model = load_model(candidate)
    progress("writing")
    data = write(original, model, dtype)
    data = builtin_only(memoryview(data)) if only_builtin else data
    verification, rounding = None, tuple[Rounding, ...]()
    if verify:
        exact = read(write(original, model, "float32"))
        verification = parity.verify(
            exact, model, seeds=SEEDS, progress=lambda done, all_: progress(f"verifying, input {done}/{all_}")
        )
        progress("measuring what storage rounds off")
        rounding = _rounding(exact, read(data))
    if verification is None or verification.ok:
        with whole_file(output) as whole:
            whole.write_bytes(data)
    return Export(data, verification, rounding, data == bytes(original.data))


def _rounding(exact: Model, stored: Model) -> tuple[Rounding, ...]:
    inputs = seeded_inputs(exact.graph, SEEDS)
    runs = [[Reference(model).plain(x) for x in inputs] for model in (exact, stored)]
    made = []
    for place, index in enumerate(exact.graph.outputs):
        truth, other = (np.stack([outputs[place] for outputs in run]) for run in runs)
        made.append(Rounding(exact.graph.tensors[index].name, float(np.abs(truth - other).max()), float(np.ptp(truth))))
    return tuple(made)
