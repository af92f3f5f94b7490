"""`unlite parity`: two models, layer by layer."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands.frame import JSON, MODEL, OVERRIDES, Result, Verb, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from converter.tflite.model import Graph
    from parity.layerwise.check import Compared
    from parity.runners.runtimes import Array


def add_options(parser: argparse.ArgumentParser) -> None:
    """Both models, what they run on, and what is kept of it."""
    parser.add_argument("model", **MODEL)
    text = "what to compare: .keras, .tflite, .onnx, file.py:function, or a saved trace (.npz)"
    parser.add_argument("candidate", metavar="CANDIDATE", help=text)
    parser.add_argument("--overrides", **OVERRIDES)
    text = (
        "run on these instead of random numbers: .npy, .npz with one array per input, or for a known detector a folder"
    )
    parser.add_argument("--inputs", type=Path, metavar="PATH", help=f"{text} of pictures")
    text = "random inputs: one in [0, 1] and one in [-1, 1] per seed (default: %(default)s)"
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help=text)
    parser.add_argument("--no-audit", action="store_true", help="judge by the activations alone")
    parser.add_argument("--all", action="store_true", help="show every tensor, not only wrong ones and outputs")
    text = "say why this layer, of either side, was paired as it was, and what spoke against it"
    parser.add_argument("--explain", metavar="LAYER", help=text)
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
    original = converter.read(find(arguments.model))
    inputs = _inputs(arguments.inputs, original.graph) if arguments.inputs else None
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
        _keep(arguments, compared)
    return Result(lambda: _document(compared), lambda console: _show(console, compared, arguments), compared.report.ok)


def _inputs(path: Path, graph: "Graph") -> "list[list[Array]]":
    """What the models are run on: a file is one run, a folder has one in each picture."""
    if path.is_dir():
        check_extra("detect", "--inputs with a folder")
        from unlite.detection.images import load_representative

        return load_representative(path, graph)
    from parity.inputs import load_inputs

    return load_inputs(path, graph)


def _keep(arguments: argparse.Namespace, compared: "Compared") -> None:
    """Write what is to be kept."""
    if arguments.explain:
        from parity.report.explaining import check_layer

        check_layer(compared.matching, arguments.explain)
    if arguments.save_trace:
        from parity.candidates.saved_traces import save_trace

        save_trace(arguments.save_trace, compared.recording())
    if arguments.html:
        from parity.report.html import write_html

        write_html(compared.report.as_dict(), compared.modes.heat_maps(), arguments.html)


def _show(console: "Console", compared: "Compared", arguments: argparse.Namespace) -> None:
    from parity.report.explaining import print_explanation
    from parity.report.text import print_parity

    print_parity(console, compared.report, every_layer=arguments.all, how="--all shows them")
    if arguments.explain:
        console.print()
        print_explanation(console, compared, arguments.explain)


def _document(compared: "Compared") -> dict[str, Any]:
    from parity.report.explaining import explanations

    return compared.report.as_dict() | {"matching": list(explanations(compared.matching))}


VERB = Verb("parity", "Compare layer by layer, and name the one that is wrong.", add_options, run)
