"""A Keras model as a file, in whatever form: into the file that it was made from, or without one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from converter.detectors.labels import Labels, labels_of
from converter.errors import CannotExport, UnliteError
from converter.ops.forms import UnknownLayer
from converter.tflite.model import Graph, Model
from converter.tflite.reader import read
from converter.tflite.variants import builtin_only
from converter.write.keras_export import keras_export
from converter.write.labels import with_labels
from converter.write.onnx import to_onnx
from converter.write.placed import StorageType
from converter.write.quantize import Inputs, QuantizedType, quantize
from converter.write.writer import Writer

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Form:
    """What to write.

    Attributes:
        dtype: How weights are stored, see `Writer.write` and `quantize`; or ONNX.
        only_builtin: Whether to replace MediaPipe's transposed convolution by the builtin one.
        allow_changes: See `Writer`.
    """

    dtype: StorageType | QuantizedType | Literal["onnx"] | None = None
    only_builtin: bool = False
    allow_changes: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        data: The new file.
        exact: The same as `.tflite` with float32 weights, which shows whether every weight is where it belongs.
        changes: Where the model differs from the original, one sentence each.
        notes: What was done otherwise than asked, and why.
        is_anew: Whether nothing of the new file is the original's.
        inputs: What the model will see, as far as that is known.
        labels: What the classes are called, as the file says it.
    """

    data: bytes
    exact: Model
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_anew: bool = False
    inputs: Sequence[Inputs] = ()
    labels: Labels | None = None

    def check_comparable(self) -> None:
        """Check that the file can be read back.

        Raises:
            CannotExport: Keras wrote it, as several subgraphs.
        """
        try:
            self.exact.graph  # noqa: B018 - it may have several, and then there is none
        except UnliteError as error:
            reason = str(error).partition("\n")[0]
            raise CannotExport(f"{self.notes[0]}, but cannot be compared: {reason}", "verify=False writes it") from None


def export(
    original: Model | None,
    model: Any,
    form: Form,
    representative: Callable[[Graph], Sequence[Inputs]] | None = None,
    progress: Progress = lambda _: None,
) -> Exported:
    """Write a Keras model, through Keras's own export where one of its layers is unknown here; its labels with it.

    Args:
        original: The file that it was made from; None for a model that comes from none.
        model: The `keras.Model`.
        form: What to write.
        representative: For int8: from the graph that takes them to inputs as the model will see them.
        progress: Called with what is being done.

    Raises:
        CannotExport: It cannot be written, or not so.
        MissingBackend: What writes int8 or ONNX is not installed.
    """
    progress("writing")
    try:
        writer = Writer(original, model, allow_changes=form.allow_changes)
        data = _builtin(writer.write("float32"), form)
        exact = read(data)
    except UnknownLayer as error:
        made = _written_by_keras(model, form, error, progress)
    else:
        if form.dtype == "float16" or (form.dtype is None and not writer.is_float32):
            data = _builtin(writer.write(form.dtype), form)
        made = Exported(data, exact, writer.changes, is_anew=original is None)
    if form.dtype == "onnx":
        progress("writing ONNX")
        return replace(made, data=to_onnx(made.exact, model), is_anew=True)
    if form.dtype == "int8" or form.dtype == "dynamic":
        progress("quantizing")
        made = _quantized(made, form.dtype, representative(made.exact.graph) if representative else [])
    labels = labels_of(model)
    return replace(made, data=with_labels(made.data, labels), labels=labels)


def _builtin(data: bytes, form: Form) -> bytes:
    return builtin_only(memoryview(data)) if form.only_builtin else data


def _written_by_keras(model: Any, form: Form, error: UnknownLayer, progress: Progress) -> Exported:
    if form.dtype == "float16":
        raise CannotExport(f"{error}, and Keras's own export stores float32 only") from error
    progress("Keras's own LiteRT export")
    data = keras_export(model)
    made = Exported(data, read(data), notes=(f"{error}; Keras's own LiteRT export wrote the whole file",), is_anew=True)
    if form.dtype:
        made.check_comparable()
    data = _builtin(data, form)
    return replace(made, data=data, exact=read(data)) if form.only_builtin else made


def _quantized(made: Exported, dtype: QuantizedType, inputs: Sequence[Inputs]) -> Exported:
    quantized = quantize(made.data, dtype, inputs if dtype == "int8" and inputs else None)
    notes = [f"the ranges of activations come from {quantized.samples} inputs"] if quantized.samples else []
    if quantized.left_float:
        what = "these operators stay float32" if dtype == "int8" else "the weights of these stay float32"
        listed = ", ".join(f"{op} ×{count}" for op, count in quantized.left_float.items())
        notes.append(f"{what}, LiteRT's quantizer has no int8 for them: {listed}")
    return replace(made, data=quantized.data, notes=(*made.notes, *notes), inputs=inputs)
