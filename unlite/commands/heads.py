"""`unlite heads`: what a new head costs."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import converter
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands.frame import DETECTOR, JSON, MODEL, Result, Verb, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from unlite.cost.verdict import Heads, Measured

COLUMNS = ("design", "#classes", "#network", "#spread", "#× unchanged", "#expected", "#× fewest", "#heads", "#decoding")
SPELLED = "milliseconds, median of {} rounds; ×: ratios within each round; expected: by multiply-adds or bytes"


def add_options(parser: argparse.ArgumentParser) -> None:
    """A detector, what to measure of it, where, and what it may take."""
    parser.add_argument("model", **MODEL)
    text = "numbers of classes, e.g. 1,7,91 (default: %(default)s)"
    parser.add_argument("--classes", default="1,2,7,20,91", metavar="N,...", help=text)
    text = "joint, gated, bottleneck, two_stage; repeatable, or with commas (default: all)"
    parser.add_argument("--design", action="append", metavar="D,...", help=text)
    text = "where to measure; repeatable, or with commas; `all` for all (default: litert)"
    parser.add_argument("--runtime", action="append", metavar="R,...", help=text)
    text = "what the recommended design may take from picture to detections, with the most classes, in the first "
    text += "runtime (median), e.g. 33ms or 0.033s; exit code 1 if it takes longer"
    parser.add_argument("--budget", metavar="TIME", help=text)
    text = "draw latency against classes, stage by stage"
    parser.add_argument("--plot", type=Path, metavar="OUT.svg", help=text)
    text = "how long to measure in each runtime (default: %(default)s)"
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help=text)
    parser.add_argument("--detector", **DETECTOR)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Measure, recommend, draw."""
    from converter import detectors
    from unlite.cost.measure import measure, parse_budget, parse_classes, parse_designs
    from unlite.cost.runtimes import parse_runtimes

    check_extra("detect", "unlite heads")
    if arguments.plot:
        check_output(arguments.plot, ".svg")
        check_extra("plot", "--plot")
    measuring = partial(
        measure,
        runtimes=parse_runtimes(arguments.runtime),
        classes=parse_classes(arguments.classes),
        designs=parse_designs(arguments.design),
        budget=parse_budget(arguments.budget) if arguments.budget else None,
        detector=detectors.find(arguments.detector) if arguments.detector else None,
        seconds=arguments.seconds,
    )
    original = converter.read(find(arguments.model))
    with working() as progress:
        measured = measuring(original, progress=progress)
        if arguments.plot:
            from unlite.cost.plot import write_plot

            write_plot(measured, arguments.plot)
    return Result(measured.as_dict, partial(show, measured, arguments.plot), measured.is_met)


def show(heads: "Heads", plot: Path | None, console: "Console") -> None:
    """One table per runtime, then the recommendation."""
    from rich.text import Text

    from parity.report.text import table

    for runtime in heads.unchanged:
        rows = table(*COLUMNS, "#total", "verdict")
        for row in heads.rows(runtime):
            rows.add_row(*cells(row), Text("slow", style="red") if row.is_slow else Text("ok", style="green"))
        times = f"{heads.unchanged[runtime].median:.2f} times as long as in LiteRT, XNNPACK"
        console.print(f"{runtime}: the unchanged {heads.model} takes {times}")
        console.print(rows)
        console.print(f"{SPELLED.format(heads.rounds[runtime])}\n")
    stages = heads.best.stages
    console.print(f"stages: {', '.join(f'{name} {_ms(stage.median)}' for name, stage in stages.items())} ms")
    console.print(f"decoding and suppression of {heads.candidates} candidates; two_stage looks at one region")
    console.print(heads.recommendation, style="green" if heads.is_met else "bold red")
    if plot:
        console.print(f"drawn into {plot}")


def cells(row: "Measured") -> list[str]:
    """What the table says of one design."""
    return [
        row.design,
        str(row.classes),
        _ms(row.model.median),
        f"{_ms(row.model.low)}–{_ms(row.model.high)}",
        f"{row.ratio.median:.3f}",
        f"{row.expected:.3f}",
        f"{row.growth.median:.3f}",
        _ms(row.stages["heads"].median),
        _ms(row.stages["decoding"].median),
        _ms(row.total.median),
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


VERB = Verb("heads", "Measure what a new head costs: designs, classes, runtimes.", add_options, run)
