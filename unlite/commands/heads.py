"""`unlite heads`: what a new head costs, and with pictures to learn from, what it is worth."""

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.errors import BadInput
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands.frame import DETECTOR, JSON, MODEL, OFTEN, Progress, Result, Verb, find, seldom, working

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from converter.surgery.heads import Design
    from unlite.cost.verdict import Heads, Measured
    from unlite.training.result import Finetuned

CLASSES = "1,2,7,20,91"
COLUMNS = ("design", "#classes", "#network", "#spread", "#× unchanged", "#expected", "#× fewest", "#heads", "#decoding")
# What stands beside the table in a terminal: something that moves, and a space.
INDENT = 2
WORTH = ("#mAP@0.5", "#accuracy")
SPELLED = "milliseconds, median of {} rounds; ×: ratios within each round; expected: by multiply-adds or bytes"
SPELLED += "; ~0: too little to be told from nothing"


def add_options(parser: argparse.ArgumentParser) -> None:
    """A detector, what to measure of it, where, and what it may take."""
    parser.add_argument("model", **MODEL)
    text = f"numbers of classes, e.g. 1,7,91 (default: {CLASSES}; with --data: that of the labels)"
    parser.add_argument("--classes", metavar="N,...", help=text)
    text = "joint, gated, bottleneck, tower, two_stage; repeatable, or with commas (default: all)"
    parser.add_argument("--design", action="append", metavar="D,...", help=text)
    text = "where to measure; repeatable, or with commas; `all` for all (default: litert)"
    parser.add_argument("--runtime", action="append", metavar="R,...", help=text)
    text = "what the recommended design may take from picture to detections, with the most classes, in the first "
    text += "runtime (median), e.g. 33ms or 0.033s; exit code 1 if it takes longer"
    parser.add_argument("--budget", metavar="TIME", help=text)
    text = "draw latency against classes, stage by stage; with --data: what designs are worth against what they cost"
    parser.add_argument("--plot", type=Path, metavar="OUT.svg", help=text)
    text = "how long to measure in each runtime (default: 20, or 300 rounds if that is less)"
    parser.add_argument("--seconds", type=float, metavar="S", help=text)
    text = "train each design on these pictures (see `unlite finetune`), and say how good it is on those held out"
    parser.add_argument("--data", type=Path, metavar="PATH", help=text)
    text = "most passes of each training (default: %(default)s)"
    parser.add_argument("--epochs", type=int, default=15, metavar="N", help=text)
    parser.add_argument("--detector", **DETECTOR)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Train if there is something to learn from, measure, recommend, draw."""
    from converter import detectors
    from unlite.cost.measure import measure, parse_budget, parse_classes, parse_designs
    from unlite.cost.runtimes import parse_runtimes

    check_extra("detect", "unlite heads")
    if arguments.plot:
        check_output(arguments.plot, ".svg")
        check_extra("plot", "--plot")
    designs = parse_designs(arguments.design)
    measuring = partial(
        measure,
        runtimes=parse_runtimes(arguments.runtime),
        designs=designs,
        budget=parse_budget(arguments.budget) if arguments.budget else None,
        detector=detectors.find(arguments.detector) if arguments.detector else None,
        seconds=arguments.seconds,
    )
    training = _training(arguments, designs) if arguments.data else None
    classes = parse_classes(arguments.classes or CLASSES)
    original = converter.read(find(arguments.model))
    with working(takes_minutes=True) as progress:
        tuned = training(original, progress=progress) if training else {}
        models = {design: each.model for design, each in tuned.items()}
        if tuned:
            classes = (len(next(iter(tuned.values())).dataset.labels),)
        view = View(seldom(progress, 1 / OFTEN), tuned)
        watch = view.watch if is_watched(arguments) else None
        heads = measuring(original, classes=classes, models=models, progress=view.say, watch=watch)
        outcome = Outcome(heads, tuned)
        if arguments.plot:
            outcome.draw(arguments.plot)
    return Result(outcome.as_dict, partial(show, outcome, arguments.plot), outcome.heads.is_met)


def _training(arguments: argparse.Namespace, designs: "tuple[Design, ...]") -> "Callable[..., dict[Design, Finetuned]]":
    """Read the pictures; trains every design when called with the detector."""
    from converter import detectors
    from unlite.training.data import read_dataset
    from unlite.training.fitting.loop import Course
    from unlite.training.settings import TrainingSettings
    from unlite.training.worth import train_designs

    check_extra("train", "--data")
    if arguments.classes:
        raise BadInput("--classes: with --data there are as many as labels", hint="leave one of them out")
    settings = TrainingSettings(course=Course(arguments.epochs))
    settings.check()
    detector = detectors.find(arguments.detector) if arguments.detector else None
    return partial(
        train_designs, dataset=read_dataset(arguments.data), designs=designs, settings=settings, detector=detector
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured, and what was trained: nothing without pictures."""

    heads: "Heads"
    tuned: "dict[Design, Finetuned]"

    def worth(self, design: str) -> dict[str, float]:
        """How good a design is; nothing where none was trained."""
        from unlite.training.worth import at_one_look

        for name, tuned in self.tuned.items():
            if name == design:
                evaluation = at_one_look(tuned)
                return {"map50": evaluation.map50, "accuracy": evaluation.accuracy}
        return {}

    @property
    def notes(self) -> list[str]:
        """What else is known of those that were trained."""
        return [f"{design}: {note}" for design, tuned in self.tuned.items() for note in tuned.notes]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        from unlite.training.judging.pareto import front
        from unlite.training.worth import worths

        made = self.heads.as_dict()
        if self.tuned:
            made["measured"] = [row | self.worth(row["design"]) for row in made["measured"]]
            made["front"] = [row.design for row in front(worths(self.heads, self.tuned))]
            made["trained"] = {design: tuned.as_dict() for design, tuned in self.tuned.items()}
        return made

    def draw(self, path: Path) -> None:
        """What there is to be seen."""
        from unlite.cost.plot import write_plot
        from unlite.training.judging.pareto import write_pareto
        from unlite.training.worth import worths

        if self.tuned:
            title = f"{self.heads.model}, {self.heads.measured[0].classes} classes, {self.heads.runtime}"
            write_pareto(worths(self.heads, self.tuned), path, title=title)
        else:
            write_plot(self.heads, path)


def show(outcome: Outcome, plot: Path | None, console: "Console") -> None:
    """One table per runtime, then the recommendation."""
    from unlite.cost.latency import milliseconds

    heads = outcome.heads
    for runtime in heads.unchanged:
        for part in measured(outcome, runtime):
            console.print(part)
        console.print()
    stages = heads.best.stages
    console.print(f"stages: {', '.join(f'{name} {milliseconds(stage)}' for name, stage in stages.items())} ms")
    console.print(f"decoding and suppression of {heads.candidates} candidates; two_stage looks at one region")
    for note in outcome.notes:
        console.print(note)
    console.print(heads.recommendation, style="green" if heads.is_met else "bold red")
    if plot:
        console.print(f"drawn into {plot}")


def measured(outcome: Outcome, runtime: str) -> "Iterator[RenderableType]":
    """What was measured in one runtime: a table, and what it shows."""
    from rich.text import Text

    from parity.report.text import table

    heads = outcome.heads
    rows = table(*COLUMNS, "#total", *(WORTH if outcome.tuned else ()), "verdict")
    for row in heads.rows(runtime):
        worth = (f"{value:.3f}" for value in outcome.worth(row.design).values())
        verdict = Text("slow", style="red") if row.is_slow else Text("ok", style="green")
        rows.add_row(*cells(row), *worth, verdict)
    times = f"{heads.unchanged[runtime].median:.2f} times as long as in LiteRT, XNNPACK"
    yield f"{runtime}: the unchanged {heads.model} takes {times}"
    yield rows
    yield SPELLED.format(heads.rounds[runtime])


def is_watched(arguments: argparse.Namespace) -> bool:
    """Whether somebody is looking at what is printed, and at what is being done."""
    return not arguments.json and sys.stdout.isatty() and sys.stderr.isatty()


@dataclass(slots=True)
class View:
    """While it measures: what is being done, and below that what is known so far.

    Attributes:
        show: Shows both in place of what it showed before.
        tuned: See `Outcome`.
    """

    show: Progress
    tuned: "dict[Design, Finetuned]"
    known: "RenderableType" = ""

    def say(self, what: str) -> None:
        """What is being done."""
        from rich.console import Group

        self.show(Group(what, self.known) if self.known else what)

    def watch(self, heads: "Heads") -> None:
        """What is known of the runtime that is measured."""
        from rich.console import Group
        from rich.segment import Segments

        from parity.report.text import make_console

        parts = measured(Outcome(heads, self.tuned), list(heads.unchanged)[-1])
        console = make_console(sys.stderr)
        # Laid out once: it is drawn anew several times a second, and laying it out takes long enough to disturb what is
        # measured meanwhile (77 ms for 25 rows, and then 4 ms for drawing).
        narrowed = console.options.update_width(console.width - INDENT)
        self.known = Segments(console.render(Group(*parts, heads.recommendation), narrowed))


def cells(row: "Measured") -> list[str]:
    """What the table says of one design."""
    from unlite.cost.latency import milliseconds

    return [
        row.design,
        str(row.classes),
        milliseconds(row.model),
        f"{_ms(row.model.low)}–{_ms(row.model.high)}",
        f"{row.ratio.median:.3f}",
        f"{row.expected:.3f}",
        f"{row.growth.median:.3f}",
        milliseconds(row.stages["heads"]),
        milliseconds(row.stages["decoding"]),
        milliseconds(row.total),
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


VERB = Verb("heads", "Measure what a new head costs: designs, classes, runtimes.", add_options, run)
