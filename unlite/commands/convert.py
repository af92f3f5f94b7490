"""`unlite convert`: convert, verify, save; nothing is written before everything else is done."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import converter
import parity
from converter.detectors.labels import own_labels
from converter.files import beside, check_output
from converter.rebuild.archive import write_archive
from unlite.commands.frame import JSON, KERAS_OUTPUT, MODEL, NO_VERIFY, Result, Verb, counted, find, working

if TYPE_CHECKING:
    from rich.console import Console


def add_options(parser: argparse.ArgumentParser) -> None:
    """From where, to where, and whether to compare."""
    parser.add_argument("model", **MODEL)
    parser.add_argument("-o", "--output", **KERAS_OUTPUT)
    parser.add_argument("--no-verify", **NO_VERIFY)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Convert."""
    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    return convert(arguments.model, output, verify=not arguments.no_verify)


def convert(source: str, output: Path, *, verify: bool = True) -> Result:
    """Convert a file, or a known model, and keep what it becomes if it agrees or is not to be compared.

    What is compared is the file itself, loaded as whoever uses it will load it.
    """
    check_output(output)
    original = converter.read(find(source))
    plan = converter.blueprint(original.graph, original.name)
    with working("writing") as progress, beside(output) as whole:
        write_archive(plan, whole, own_labels(original))
        if verify:
            progress("importing Keras")
        verification = (
            parity.verify(original, whole, progress=counted("verifying, input", progress)) if verify else None
        )
        agrees = verification is None or verification.ok
        if agrees:
            whole.replace(output)
    layers, parameters = len(plan.inputs) + len(plan.specs), sum(tensor.size for _, _, tensor, _ in plan.weights())

    def show(console: "Console") -> None:
        from parity.report.text import print_verification

        if verification:
            print_verification(console, verification)
        else:
            console.print("not verified")
        if agrees:
            console.print(f"wrote {output}: {layers} layers, {parameters:,} parameters")
        else:
            console.print("nothing was written; --no-verify writes the model as it is")

    document = {
        "model": original.name,
        "output": str(output) if agrees else None,
        "layers": layers,
        "parameters": parameters,
        "verification": verification.as_dict() if verification else None,
    }
    return Result(lambda: document, show, agrees)


VERB = Verb("convert", "Convert a model to .keras, and verify that it computes the same.", add_options, run)
