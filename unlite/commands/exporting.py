"""`unlite export`: write, compare with the Keras model, save; nothing is written before everything else is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

import parity
from converter.errors import BadInput, CannotExport, UnliteError
from converter.extras import check_extra
from converter.files import whole_file
from converter.ops.forms.emission import UnknownLayer
from converter.tflite.model import Model
from converter.tflite.reader import read
from converter.tflite.variants import TRANSPOSE_BIAS, builtin_only
from converter.write.keras_export import keras_export
from converter.write.onnx import to_onnx
from converter.write.quantize import QuantizedType, quantize
from converter.write.writer import StorageType, Writer
from parity.candidates.loading import load_model
from parity.inputs.seeded import seeded_inputs
from parity.layerwise.original import Progress
from parity.outputs.onnx import verify_onnx
from parity.outputs.verification import Verification
from parity.runners.reference import Reference
from parity.runners.types import Array
from unlite.detection.representative import load_representative

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
        dtype: See `converter.write.writer.Writer.write` and `converter.write.quantize.quantize`.
        representative: Where inputs for int8 are: see `unlite.detection.representative.load_representative`.
        only_builtin: Whether to replace MediaPipe's transposed convolution by the builtin one.
        onnx: Whether to write ONNX.
        allow_changes: See `converter.write.writer.Writer`.
        verify: Whether to compare.

    Raises:
        BadInput: Two of them contradict each other.
    """

    dtype: StorageType | QuantizedType | None = None
    representative: Path | None = None
    only_builtin: bool = False
    onnx: bool = False
    allow_changes: bool = False
    verify: bool = True

    def __post_init__(self) -> None:
        if self.representative and self.dtype not in ("int8", "dynamic"):
            raise BadInput("--representative shows what int8 has to cover", hint="--dtype int8, or dynamic")
        if self.onnx and (self.dtype or self.only_builtin):
            raise BadInput("--onnx writes float32 and operators of its own: --dtype and --builtin-only are for .tflite")


def export(
    original: Model | None,
    candidate: str,
    output: Path,
    settings: Settings,
    progress: Progress = lambda _: None,
) -> Export:
    """Write a Keras model into the file that it was made from, or without one.

    With float32 weights the file has to compute what the Keras model computes, within the tolerance of `unlite
    convert`; that shows that every weight is where it belongs. What another type then rounds off is measured, not
    judged. ONNX is judged once more, in ONNX Runtime.

    Args:
        original: The file.
        candidate: The model, as `parity.candidates.loading.load_model` takes it.
        output: Where to write the new file.
        settings: How.
        progress: Called with what is being done.

    Raises:
        UnliteError: Something is not installed, or cannot be loaded, written or compared.
    """
    if original is None and settings.allow_changes:
        raise BadInput("--allow-changes is about an original", hint="--like ORIGINAL")
    _check_extras(settings)
    progress("loading the model")
    model = load_model(candidate)
    files = _write(original, model, settings, progress)
    verification, rounding = None, tuple[Rounding, ...]()
    if settings.verify:
        exact = read(files.exact)
        verification = parity.verify(exact, model, seeds=SEEDS, progress=_counted("verifying", progress))
        if verification.ok and settings.onnx:
            verification = verify_onnx(
                exact, model, files.data, verification, _counted("verifying in ONNX Runtime", progress)
            )
        elif verification.ok and files.is_measurable:
            progress("measuring what storage rounds off")
            rounding = _rounding(exact, read(files.data), files.inputs or seeded_inputs(exact.graph, SEEDS))
    made = Export(
        files.data,
        verification,
        rounding,
        is_unchanged=original is not None and files.data == bytes(original.data),
        is_anew=original is None or settings.onnx or bool(files.unknown),
        changes=files.changes,
        notes=(*filter(None, [files.unknown]), *files.notes),
    )
    if made.ok:
        with whole_file(output) as whole:
            whole.write_bytes(files.data)
    return made


def _check_extras(settings: Settings) -> None:
    """Whether everything is installed that comes only after the model has been loaded and compared."""
    if settings.representative and settings.representative.is_dir():
        check_extra("detect", "--representative with a folder")
    if settings.onnx:
        check_extra("onnx", "--onnx")
    if settings.dtype in get_args(QuantizedType):
        check_extra("quantize", f"--dtype {settings.dtype}")


def _counted(what: str, progress: Progress) -> Callable[[int, int], None]:
    return lambda done, all_: progress(f"{what}, input {done}/{all_}")


@dataclass(frozen=True, slots=True)
class _Files:
    """The file as asked for, the same as float32 `.tflite`, and what is to be told.

    Attributes:
        unknown: Why Keras had to write it; empty if it had not.
        inputs: What the model will see, as far as that is known.
        is_measurable: Whether LiteRT can run the file.
    """

    data: bytes
    exact: bytes
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: str = ""
    inputs: Sequence[Sequence[Array]] = ()
    is_measurable: bool = True


def _write(original: Model | None, model: Any, settings: Settings, progress: Progress) -> _Files:
    progress("writing")
    try:
        writer = Writer(original, model, allow_changes=settings.allow_changes)
        exact = writer.write("float32")
        changes, unknown = writer.changes, ""
    except UnknownLayer as error:
        if settings.dtype == "float16":
            raise CannotExport(f"{error}, and Keras's own export stores float32 only") from error
        progress("Keras's own LiteRT export")
        exact, changes, unknown = keras_export(model), (), f"{error}; Keras's own LiteRT export wrote the whole file"
        _check_comparable(exact, unknown, settings)
    exact = builtin_only(memoryview(exact)) if settings.only_builtin else exact
    if settings.onnx:
        progress("writing ONNX")
        return _Files(to_onnx(read(exact), model), exact, changes, unknown=unknown)
    if settings.dtype == "int8" or settings.dtype == "dynamic":
        progress("quantizing")
        return _quantized(_Files(b"", exact, changes, unknown=unknown), settings.dtype, settings.representative)
    if unknown:
        return _Files(exact, exact, unknown=unknown)
    data = writer.write(settings.dtype)
    return _Files(builtin_only(memoryview(data)) if settings.only_builtin else data, exact, changes)


def _check_comparable(exact: bytes, unknown: str, settings: Settings) -> None:
    try:
        read(exact).graph  # noqa: B018 - it may have several, and then there is none
    except UnliteError as error:
        if settings.verify or settings.dtype or settings.onnx:
            reason = str(error).partition("\n")[0]
            raise CannotExport(f"{unknown}, but cannot be compared: {reason}", "--no-verify writes it") from None


def _quantized(files: _Files, kind: QuantizedType, representative: Path | None) -> _Files:
    exact = read(files.exact)
    inputs = load_representative(representative, exact.graph) if representative else []
    made = quantize(files.exact, kind, inputs if kind == "int8" and inputs else None)
    notes = [f"the ranges of activations come from {made.samples} inputs"] if made.samples else []
    if made.left_float:
        what = "these operators stay float32" if kind == "int8" else "the weights of these stay float32"
        listed = ", ".join(f"{op} ×{count}" for op, count in made.left_float.items())
        notes.append(f"{what}, LiteRT's quantizer has no int8 for them: {listed}")
    custom = {op.kind for op in exact.graph.ops if op.is_custom and op.kind != TRANSPOSE_BIAS}
    if custom:
        notes.append(f"what int8 rounds off is not measured: LiteRT has no kernel for {', '.join(sorted(custom))}")
    elif not inputs:
        notes.append("what int8 rounds off is measured on random numbers; --representative shows what the model sees")
    return replace(files, data=made.data, notes=tuple(notes), inputs=inputs, is_measurable=not custom)


def _rounding(exact: Model, stored: Model, inputs: Sequence[Sequence[Array]]) -> tuple[Rounding, ...]:
    runs = [[run(x) for x in inputs] for run in (Reference(model).plain for model in (exact, stored))]
    made = []
    for place, index in enumerate(exact.graph.outputs):
        truth, other = (np.stack([outputs[place] for outputs in run]) for run in runs)
        made.append(Rounding(exact.graph.tensors[index].name, float(np.abs(truth - other).max()), float(np.ptp(truth))))
    return tuple(made)
