"""`unlite parity`: two models, layer by layer."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import converter
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands.frame import JSON, MODEL, OVERRIDES, Result, Verb, find, working

if TYPE_CHECKING:
    from rich.console import Console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Both models, what they run on, and what is kept of it."""
    parser.add_argument("model", **MODEL)
    text = "what to compare: .keras, .tflite, .onnx, file.py:function, or a saved trace (.npz)"
    parser.add_argument("candidate", metavar="CANDIDATE", help=text)
    parser.add_argument("--overrides", **OVERRIDES)
    text = "run on these instead of random numbers: .npy, or .npz with one array per input"
    parser.add_argument("--inputs", type=Path, metavar="FILE", help=text)
    text = "random inputs: one in [0, 1] and one in [-1, 1] per seed (default: %(default)s)"
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help=text)
    parser.add_argument("--no-audit", action="store_true", help="judge by the activations alone")
    parser.add_argument("--all", action="store_true", help="show every tensor, not only wrong ones and outputs")
    parser.add_argument("--save-trace", type=Path, metavar="FILE.npz", help="keep what the candidate computed")
    parser.add_argument("--html", type=Path, metavar="FILE.html", help="write a page with plots")
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Compare."""
    for path, suffix in ((arguments.save_trace, ".npz"), (arguments.html, ".html")):
        if path:
            check_output(path, suffix)
    if arguments.html:
        check_extra("html", "--html")
    from parity.inputs import load_inputs

    original = converter.read(find(arguments.model))
    inputs = load_inputs(arguments.inputs, original.graph) if arguments.inputs else None
    with working() as progress:
        from parity.layerwise.check import check

        compared = check(
            original,
            arguments.candidate,
            overrides=arguments.overrides or (),
            inputs=inputs,
            seeds=arguments.seeds,
            with_audit=not arguments.no_audit,
            progress=progress,
        )
        report = compared.report
        if arguments.save_trace:
            from parity.candidates.saved_traces import save_trace

            save_trace(arguments.save_trace, compared.recording())
        if arguments.html:
            from parity.report.html import write_html

            write_html(report.as_dict(), compared.modes.heat_maps(), arguments.html)

    def show(console: "Console") -> None:
        from parity.report.text import print_parity

        print_parity(console, report, every_layer=arguments.all, how="--all shows them")

    return Result(report.as_dict, show, report.ok)


VERB = Verb("parity", "Compare layer by layer, and name the one that is wrong.", add_options, run)
