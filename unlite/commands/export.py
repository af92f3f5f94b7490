"""`unlite export`: write, compare with the Keras model, save; nothing is written before everything else is done."""

import argparse
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.errors import BadInput, CannotExport, UnsupportedModel
from converter.extras import check_extra
from converter.files import check_output, write_all
from unlite.commands.frame import JSON, NO_VERIFY, Progress, Result, Verb, counted, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from converter.detectors.labels import Labels
    from converter.tflite.model import Model
    from converter.write.export import Exported
    from parity.outputs.verification import Truth, Verification

SEEDS, SHOWN_CHANGES = 8, 8
INT8 = ("int8", "dynamic")


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
        compared = Compared() if arguments.no_verify else _compare(files, model, arguments, progress)
        beside, graph_notes = _graph(files, files.labels, output) if files.labels else ({}, [])
        if compared.ok:
            write_all({output: files.data, **beside})
    is_unchanged = original is not None and files.data == bytes(original.data)
    notes = [*_notes(files, arguments.dtype), *graph_notes]
    return _result(files, notes, compared, [output, *beside], is_unchanged=is_unchanged)


def _graph(files: "Exported", labels: "Labels", output: Path) -> tuple[dict[Path, bytes], list[str]]:
    """The graph with which MediaPipe runs a labelled detector, to be written beside it; else, why there is none."""
    from unlite.detection.mediapipe_graph import SUFFIX, labelled_graph

    path = check_output(output.with_suffix(SUFFIX), SUFFIX)
    try:
        text = labelled_graph(output, converter.read(files.data).graph, labels)
    except (CannotExport, UnsupportedModel) as error:
        return {}, [f"no graph for MediaPipe was written: {error}"]
    return {path: text.encode()} if text else {}, []


def _check(arguments: argparse.Namespace) -> None:
    """Contradictions, and what is not installed, are said before the model is loaded."""
    dtype, representative = arguments.dtype, arguments.representative
    if representative and dtype not in INT8:
        raise BadInput("--representative shows what int8 has to cover", hint="--dtype int8, or dynamic")
    if arguments.onnx and (dtype or arguments.builtin_only):
        raise BadInput("--onnx writes float32 and operators of its own: --dtype and --builtin-only are for .tflite")
    if arguments.allow_changes and not arguments.like:
        raise BadInput("--allow-changes is about an original", hint="--like ORIGINAL")
    if representative and representative.is_dir():
        check_extra("detect", "--representative with a folder")
    if arguments.onnx:
        check_extra("onnx", "--onnx")
    if dtype in INT8:
        check_extra("quantize", f"--dtype {dtype}")
    if dtype == "int8" and not representative:
        raise BadInput(
            "int8 needs representative inputs: they show which range each activation has",
            hint="--representative FOLDER (of pictures) or FILE.npy; or --dtype dynamic, which needs none",
        )


def _write(original: "Model | None", model: Any, arguments: argparse.Namespace, progress: Progress) -> "Exported":
    from converter.write.export import Form, export
    from unlite.detection.images import load_representative

    given = arguments.representative
    representative = partial(load_representative, given) if given else None
    dtype: Any = "onnx" if arguments.onnx else arguments.dtype
    form = Form(dtype, only_builtin=arguments.builtin_only, allow_changes=arguments.allow_changes)
    return export(original, model, form, representative, progress)


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
class Compared:
    """The comparisons that were asked for.

    Attributes:
        verification: The file with float32 weights against the Keras model.
        rounding: Per output.
    """

    verification: "Verification | None" = None
    rounding: tuple[Rounding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against writing the file."""
        return self.verification is None or self.verification.ok

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        verification = self.verification.as_dict() if self.verification else None
        return {"verification": verification, "rounding": [asdict(each) for each in self.rounding]}


def _compare(files: "Exported", model: Any, arguments: argparse.Namespace, progress: Progress) -> Compared:
    from parity.outputs.verification import Truth, remembering, verify, verify_onnx
    from parity.runners.runtimes import keras_runner

    files.check_comparable()
    truth, candidate = Truth(files.exact), remembering(keras_runner(model, eager=0))
    verification = verify(truth, candidate, SEEDS, counted("verifying, input", progress))
    if verification.ok and arguments.onnx:
        say = counted("verifying in ONNX Runtime, input", progress)
        return Compared(verify_onnx(truth, candidate, files.data, verification, say))
    if not verification.ok or _unmeasured(files, arguments.dtype):
        return Compared(verification)
    progress("measuring what storage rounds off")
    return Compared(verification, _rounding(truth, files))


def _rounding(truth: "Truth", files: "Exported") -> tuple[Rounding, ...]:
    import numpy as np

    from parity.inputs import seeded_inputs
    from parity.outputs.verification import Truth

    inputs = files.inputs or seeded_inputs(truth.model.graph, SEEDS)
    stored = truth if files.data == bytes(truth.model.data) else Truth(converter.read(files.data))
    exact, rounded = ([each.plain(x) for x in inputs] for each in (truth, stored))
    made = []
    for place, name in enumerate(truth.names):
        values, others = (np.stack([outputs[place] for outputs in run]) for run in (exact, rounded))
        made.append(Rounding(name, float(np.abs(values - others).max()), float(np.ptp(values))))
    return tuple(made)


def _unmeasured(files: "Exported", dtype: str | None) -> list[str]:
    """Operators for which LiteRT has no kernel, so that what int8 rounds off cannot be measured."""
    from converter.tflite.variants import TRANSPOSE_BIAS

    ops = files.exact.graph.ops if dtype in INT8 else ()
    return sorted({op.kind for op in ops if op.is_custom and op.kind != TRANSPOSE_BIAS})


def _notes(files: "Exported", dtype: str | None) -> list[str]:
    """What was done otherwise than asked, and what could not be measured."""
    notes = list(files.notes)
    if kinds := ", ".join(_unmeasured(files, dtype)):
        notes.append(f"what int8 rounds off is not measured: LiteRT has no kernel for {kinds}")
    elif dtype in INT8 and not files.inputs:
        shown = "--representative shows what the model sees"
        notes.append(f"what int8 rounds off is measured on random numbers; {shown}")
    return notes


def _result(
    files: "Exported", notes: list[str], compared: Compared, written: list[Path], *, is_unchanged: bool
) -> Result:
    def show(console: "Console") -> None:
        from parity.report.text import print_verification

        left_out = len(files.changes) - SHOWN_CHANGES
        more = [f"… and {left_out} more changes; --json lists all"] if left_out > 0 else []
        for line in (*notes, *(f"changed: {change}" for change in files.changes[:SHOWN_CHANGES]), *more):
            console.print(line)
        if compared.verification:
            print_verification(console, compared.verification, "model")
        for r in compared.rounding:
            if r.error:
                share = r.error / r.span if r.span else 0.0
                console.print(f"{r.name}: storage rounds off up to {r.error:.2e}, {share:.1e} of its range")
        if compared.ok:
            what = _what(files, is_unchanged=is_unchanged)
            console.print(f"wrote {written[0]}: {what}, {len(files.data) / 1e6:.2f} MB")
            for path in written[1:]:
                console.print(f"wrote {path}: with it, MediaPipe 0.10.21 runs the detector")
        else:
            console.print("nothing was written; --no-verify writes the file as it is")

    document = {
        "ok": compared.ok,
        "bytes": len(files.data),
        "unchanged": is_unchanged,
        "changes": list(files.changes),
        "notes": notes,
    }
    output, graph = [*(str(path) for path in written if compared.ok), None, None][:2]
    document |= {"output": output, "graph": graph, "labels": files.labels.as_dict() if files.labels else None}
    return Result(lambda: document | compared.as_dict(), show, compared.ok)


def _what(files: "Exported", *, is_unchanged: bool) -> str:
    labelled = f", labels {', '.join(files.labels.names)}" if files.labels else ""
    if is_unchanged:
        return f"the original, byte for byte{labelled}"
    if files.is_anew:
        return f"a graph of its own{labelled}"
    spliced = ", and new operators for what has changed" if files.changes else ""
    return f"the original's graph with the model's weights{spliced}{labelled}"


VERB = Verb("export", "Write a Keras model back into the file that it was made from.", add_options, run)
