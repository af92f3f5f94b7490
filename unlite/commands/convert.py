"""`unlite convert`: convert, verify, save; nothing is written before everything else is done."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
import parity
from converter.files import check_output
from unlite.commands.frame import JSON, KERAS_OUTPUT, MODEL, NO_VERIFY, Result, Verb, counted, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from parity.outputs.verification import Verification


def add_options(parser: argparse.ArgumentParser) -> None:
    """From where, to where, and whether to compare."""
    parser.add_argument("model", **MODEL)
    parser.add_argument("-o", "--output", **KERAS_OUTPUT)
    parser.add_argument("--no-verify", **NO_VERIFY)
    parser.add_argument("--json", **JSON)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it.

    Attributes:
        name: The original's.
        layers: Number of layers.
        parameters: Number of weights.
        verification: The comparison; None if not asked for.
        output: Where the model was written; None if it does not agree.
    """

    name: str
    layers: int
    parameters: int
    verification: "Verification | None"
    output: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.name,
            "output": str(self.output) if self.output else None,
            "layers": self.layers,
            "parameters": self.parameters,
            "verification": self.verification.as_dict() if self.verification else None,
        }

    def show(self, console: "Console") -> None:
        """For people."""
        from parity.report.text import print_verification

        if self.verification:
            print_verification(console, self.verification)
        else:
            console.print("not verified")
        if self.output:
            console.print(f"wrote {self.output}: {self.layers} layers, {self.parameters:,} parameters")
        else:
            console.print("nothing was written; --no-verify writes the model as it is")


def run(arguments: argparse.Namespace) -> Result:
    """Convert."""
    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    made = convert(arguments.model, output, verify=not arguments.no_verify)
    return Result(made.as_dict, made.show, made.output is not None)


def convert(source: str, output: Path, *, verify: bool = True) -> Conversion:
    """Convert a file, and write the model if it agrees.

    Args:
        source: The file, or a known model's name.
        output: Where to write the model.
        verify: Whether to compare at all.
    """
    check_output(output)
    original = converter.read(find(source))
    plan = converter.blueprint(original.graph, original.name)  # what cannot be is said before Keras is imported
    with working() as progress:
        model = converter.convert(plan, progress=counted("building layer", progress))
        verification = None
        if verify:
            verification = parity.verify(original, model, progress=counted("verifying, input", progress))
        agrees = verification is None or verification.ok
        if agrees:
            progress(f"saving {output}")
            converter.save(model, output)
        written = output if agrees else None
        return Conversion(original.name, len(model.layers), model.count_params(), verification, written)


VERB = Verb("convert", "Convert a model to .keras, and verify that it computes the same.", add_options, run)
