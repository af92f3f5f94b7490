"""`unlite export`: write, compare with the Keras model, save; nothing is written before everything else is done."""

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.errors import BadInput
from converter.extras import check_extra
from converter.files import check_output, whole_file
from unlite.commands.frame import JSON, NO_VERIFY, Progress, Result, Verb, counted, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from converter.tflite.model import Graph, Model
    from converter.write.export import Exported
    from parity.outputs.verification import Truth, Verification
    from parity.runners.types import Array

SEEDS, SHOWN_CHANGES = 8, 8


def add_options(parser: argparse.ArgumentParser) -> None:
    """A model, where it comes from, and the form of the file."""
    parser.add_argument("candidate", metavar="MODEL.keras", help="your model: a .keras file, or file.py:function")
    text = "the file that it was made from, or a known model's name; without it all operators are written anew"
    parser.add_argument("--like", metavar="ORIGINAL", help=text)
    text = "default: MODEL's name in this folder"
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.tflite", help=text)
    text = "how weights are stored (default: each as the original has it); dynamic: int8; int8: activations as well"
    parser.add_argument("--dtype", choices=["float16", "float32", "dynamic", "int8"], help=text)
    text = "for int8, what the model will see: a folder of pictures (detectors), or arrays (.npy, .npz)"
    parser.add_argument("--representative", type=Path, metavar="PATH", help=text)
    text = "write ONNX instead, and compare it in ONNX Runtime"
    parser.add_argument("--onnx", action="store_true", help=text)
    text = "replace MediaPipe's transposed convolution by the builtin one, which the stock interpreter runs"
    parser.add_argument("--builtin-only", action="store_true", help=text)
    text = "write a model that differs from the original in what all its outputs depend on"
    parser.add_argument("--allow-changes", action="store_true", help=text)
    parser.add_argument("--no-verify", **NO_VERIFY | {"help": "do not compare the result with the model"})
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Write a Keras model into the file that it was made from, or without one.

    With float32 weights the file has to compute what the Keras model computes, within the tolerance of `unlite
    convert`; that shows that every weight is where it belongs. What another type then rounds off is measured, not
    judged. ONNX is judged once more, in ONNX Runtime.
    """
    name = arguments.candidate.rpartition(":")[2] if ".py:" in arguments.candidate else Path(arguments.candidate).stem
    suffix = ".onnx" if arguments.onnx else ".tflite"
    output = arguments.output or Path(f"{name}{suffix}")
    check_output(output, suffix)
    original = converter.read(find(arguments.like)) if arguments.like else None
    _check(arguments)
    with working() as progress:
        from parity.candidates.loading import load_model

        progress("loading the model")
        model = load_model(arguments.candidate)
        files = _write(original, model, arguments, progress)
        is_original = original is not None and files.data == bytes(original.data)
        made = Export(files, is_original=is_original, is_int8=arguments.dtype in ("int8", "dynamic"))
        if not arguments.no_verify:
            made = _compared(made, model, arguments, progress)
        if made.ok:
            with whole_file(output) as whole:
                whole.write_bytes(files.data)
    document = made.as_dict() | {"output": str(output) if made.ok else None}
    return Result(lambda: document, partial(made.show, output), made.ok)


def _check(arguments: argparse.Namespace) -> None:
    """Contradictions, and what is not installed, are said before the model is loaded."""
    dtype, representative = arguments.dtype, arguments.representative
    if representative and dtype not in ("int8", "dynamic"):
        raise BadInput("--representative shows what int8 has to cover", hint="--dtype int8, or dynamic")
    if arguments.onnx and (dtype or arguments.builtin_only):
        raise BadInput("--onnx writes float32 and operators of its own: --dtype and --builtin-only are for .tflite")
    if arguments.allow_changes and not arguments.like:
        raise BadInput("--allow-changes is about an original", hint="--like ORIGINAL")
    if representative and representative.is_dir():
        check_extra("detect", "--representative with a folder")
    if arguments.onnx:
        check_extra("onnx", "--onnx")
    if dtype in ("int8", "dynamic"):
        check_extra("quantize", f"--dtype {dtype}")
    if dtype == "int8" and not representative:
        raise BadInput(
            "int8 needs representative inputs: they show which range each activation has",
            hint="--representative FOLDER (of pictures) or FILE.npy; or --dtype dynamic, which needs none",
        )


def _write(original: "Model | None", model: Any, arguments: argparse.Namespace, progress: Progress) -> "Exported":
    from converter.write.export import Form, export
    from unlite.detection.representative import load_representative

    def representative(graph: "Graph") -> "list[list[Array]]":
        return load_representative(arguments.representative, graph) if arguments.representative else []

    dtype: Any = "onnx" if arguments.onnx else arguments.dtype
    form = Form(dtype, only_builtin=arguments.builtin_only, allow_changes=arguments.allow_changes)
    return export(original, model, form, representative, progress)


def _compared(made: "Export", model: Any, arguments: argparse.Namespace, progress: Progress) -> "Export":
    from parity.outputs.onnx import verify_onnx
    from parity.outputs.verification import Truth, remembering, verify
    from parity.runners.keras import keras_runner

    made.files.check_comparable()
    truth, candidate = Truth(made.files.exact), remembering(keras_runner(model))
    verification = verify(truth, candidate, SEEDS, counted("verifying, input", progress))
    if verification.ok and arguments.onnx:
        say = counted("verifying in ONNX Runtime, input", progress)
        verification = verify_onnx(truth, candidate, made.files.data, verification, say)
    elif verification.ok and not made.unmeasured:
        progress("measuring what storage rounds off")
        made = replace(made, rounding=_rounding(truth, made.files))
    return replace(made, verification=verification)


def _rounding(truth: "Truth", files: "Exported") -> "tuple[Rounding, ...]":
    import numpy as np

    from converter.tflite.reader import read
    from parity.inputs.seeded import seeded_inputs
    from parity.outputs.verification import Truth

    inputs = files.inputs or seeded_inputs(truth.model.graph, SEEDS)
    stored = truth if files.data == bytes(truth.model.data) else Truth(read(files.data))
    exact, rounded = ([each.plain(x) for x in inputs] for each in (truth, stored))
    made = []
    for place, name in enumerate(truth.names):
        values, others = (np.stack([outputs[place] for outputs in run]) for run in (exact, rounded))
        made.append(Rounding(name, float(np.abs(values - others).max()), float(np.ptp(values))))
    return tuple(made)


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
        files: What was written.
        is_original: Whether the new file is the original, byte for byte.
        is_int8: Whether it was quantized.
        verification: The file with float32 weights against the Keras model; None if not asked for.
        rounding: Per output; empty if not asked for.
    """

    files: "Exported"
    is_original: bool
    is_int8: bool
    verification: "Verification | None" = None
    rounding: tuple[Rounding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was written."""
        return self.verification is None or self.verification.ok

    @property
    def unmeasured(self) -> list[str]:
        """Operators for which LiteRT has no kernel, so that what int8 rounds off cannot be measured."""
        from converter.tflite.variants import TRANSPOSE_BIAS

        ops = self.files.exact.graph.ops if self.is_int8 else ()
        return sorted({op.kind for op in ops if op.is_custom and op.kind != TRANSPOSE_BIAS})

    @property
    def notes(self) -> list[str]:
        """What was done otherwise than asked, and what was not measured."""
        made = list(self.files.notes)
        if self.unmeasured:
            kinds = ", ".join(self.unmeasured)
            made.append(f"what int8 rounds off is not measured: LiteRT has no kernel for {kinds}")
        elif self.is_int8 and not self.files.inputs:
            made.append(
                "what int8 rounds off is measured on random numbers; --representative shows what the model sees"
            )
        return made

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.ok,
            "bytes": len(self.files.data),
            "unchanged": self.is_original,
            "changes": list(self.files.changes),
            "notes": self.notes,
            "verification": self.verification.as_dict() if self.verification else None,
            "rounding": [{"name": r.name, "error": r.error, "span": r.span} for r in self.rounding],
        }

    def show(self, output: Path, console: "Console") -> None:
        """For people."""
        from parity.report.text import print_verification

        for note in self.notes:
            console.print(note)
        changes = self.files.changes
        for change in changes[:SHOWN_CHANGES]:
            console.print(f"changed: {change}")
        if len(changes) > SHOWN_CHANGES:
            console.print(f"… and {len(changes) - SHOWN_CHANGES} more changes; --json lists all")
        if self.verification:
            print_verification(console, self.verification, "model")
        for r in self.rounding:
            if r.error:
                share = r.error / r.span if r.span else 0.0
                console.print(f"{r.name}: storage rounds off up to {r.error:.2e}, {share:.1e} of its range")
        if self.ok:
            console.print(f"wrote {output}: {self._what}, {len(self.files.data) / 1e6:.2f} MB")
        else:
            console.print("nothing was written; --no-verify writes the file as it is")

    @property
    def _what(self) -> str:
        if self.is_original:
            return "the original, byte for byte"
        if self.files.is_anew:
            return "a graph of its own"
        spliced = ", and new operators for what has changed" if self.files.changes else ""
        return f"the original's graph with the model's weights{spliced}"


VERB = Verb("export", "Write a Keras model back into the file that it was made from.", add_options, run)
