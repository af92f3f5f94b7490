"""`unlite finetune`: a detector learns the labels of a folder of pictures."""

import argparse
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands import teaching
from unlite.commands.frame import DETECTOR, JSON, MODEL, Result, Verb, find, given, tell, working

if TYPE_CHECKING:
    from rich.console import Console

    from unlite.training.result import Finetuned
    from unlite.training.settings import TrainingSettings

SHOWN = 8  # problems; the page lists all


def add_options(parser: argparse.ArgumentParser) -> None:
    """A detector, pictures, and how it learns from them."""
    parser.add_argument("model", **MODEL | {"help": f"{MODEL['help']}, or a .keras file"})
    text = "a folder per label (`none` for pictures without objects), COCO, Pascal VOC, YOLO's data.yaml, or a JSON "
    text += "file beside each picture"
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help=text)
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help="default: DATA's name in this folder")
    text = "how classes are computed: tower (default), joint, gated, bottleneck or two_stage, see `unlite heads`"
    parser.add_argument("--design", metavar="D", help=text)
    text = "classes (default: everything else stays bit for bit), heads, or all"
    parser.add_argument("--train", metavar="WHAT", help=text)
    text = "repair MODEL instead: it learns to do what this one does, from pictures without labels"
    parser.add_argument("--teacher", metavar="ORIGINAL", help=text)
    parser.add_argument("--labels", metavar="L,...", help="which labels, in which order (default: all)")
    text = "share of the pictures that is held out, where the data does not say (default: %(default)s)"
    parser.add_argument("--share", type=float, default=0.2, metavar="S", help=text)
    text = "what is never on both sides, e.g. a person: a regular expression on a picture's path"
    parser.add_argument("--group", metavar="REGEX", help=text)
    text = "most passes (default: 6 to 30, fewer the more pictures there are; teacher: 12)"
    parser.add_argument("--epochs", type=int, metavar="N", help=text)
    text = "variations of each picture (default: about 6000 in all)"
    parser.add_argument("--copies", type=int, metavar="N", help=text)
    parser.add_argument("--batch", type=int, metavar="N", help="pictures in a step (default: 32; teacher: 8)")
    text = "the largest (default: 0.002; teacher: 0.001 for exchanged activations, else 0.0001)"
    parser.add_argument("--learning-rate", type=float, metavar="R", help=text)
    text = "channels of the tower (default: 128); half as many learn less, and cost a third"
    parser.add_argument("--width", type=int, metavar="N", help=text)
    text = "of split, variations and order (default: %(default)s)"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=text)
    text = "where features, results and the page are kept; a run that was interrupted goes on there (default: OUT-run)"
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help=text)
    parser.add_argument("--tensorboard", type=Path, metavar="FOLDER", help="write logs for TensorBoard")
    parser.add_argument("--detector", **DETECTOR)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Train, judge, save; the model and the page are written when all is done."""
    if arguments.teacher:
        return teaching.run(arguments)
    from converter import detectors
    from unlite.training.finetuning import finetune
    from unlite.training.lessons.features import STATE

    for extra in ("train", "detect", "html"):
        check_extra(extra, "unlite finetune")
    output = check_output(arguments.output or Path(f"{arguments.data.resolve().stem}.keras"))
    folder = arguments.folder or output.with_name(f"{output.stem}-run")
    settings = _settings(arguments)
    settings.check()
    detector = detectors.find(arguments.detector) if arguments.detector else None
    model = arguments.model if arguments.model.endswith(".keras") else find(arguments.model)
    if (folder / STATE).exists():
        tell(f"{folder} has an interrupted run: it goes on if nothing has changed")
    with working("reading the pictures", takes_minutes=True) as progress:
        tuned = finetune(model, arguments.data, settings, folder=folder, detector=detector, progress=progress)
        progress("writing")
        _write(tuned, output, folder)
    return Result(partial(document, tuned, output, folder), partial(show, tuned, output, folder))


def _settings(arguments: argparse.Namespace) -> "TrainingSettings":
    from converter.surgery.tower import Tower
    from unlite.training.fitting.loop import Course
    from unlite.training.settings import TrainingSettings

    course = replace(Course(), **given(arguments, "epochs", "batch", "learning_rate", "seed", "tensorboard"))
    usual = TrainingSettings(tower=Tower(**given(arguments, "width")))
    return replace(
        usual,
        **given(arguments, "design", "train", "share", "group", "copies", "seed"),
        labels=tuple(arguments.labels.split(",")) if arguments.labels else None,
        course=course,
    )


def _write(tuned: "Finetuned", output: Path, folder: Path) -> None:
    from unlite.training.judging.report import write_report
    from unlite.training.lessons.features import clear
    from unlite.training.result import report

    converter.save(tuned.model, output, tuned.labels)
    write_report(report(tuned, shlex.join(["unlite", *sys.argv[1:]])), folder / "report.html")
    clear(folder)


def document(tuned: "Finetuned", output: Path, folder: Path) -> dict[str, Any]:
    """For JSON."""
    return tuned.as_dict() | {"output": str(output), "report": str(folder / "report.html")}


def show(tuned: "Finetuned", output: Path, folder: Path, console: "Console") -> None:
    """What was learned from, how well, and what to do next."""
    from unlite.training.judging.text import show_evaluation

    for problem in tuned.problems[:SHOWN]:
        console.print(f"left out: {problem}")
    if len(tuned.problems) > SHOWN:
        console.print(f"… and {len(tuned.problems) - SHOWN} more; the page and --json list all")
    for note in (*filter(None, [tuned.placing.relation]), *tuned.notes):
        console.print(str(note))
    show_evaluation(tuned.evaluation, console)
    trained, seconds = tuned.trained, sum(tuned.seconds.values())
    console.print(
        f"best of {trained.epochs} passes: {trained.best}; {seconds:.0f} s in all; see {folder / 'report.html'}"
    )
    console.print(
        f"wrote {output}: {', '.join(tuned.dataset.labels)}, to be believed from {tuned.labels.threshold:.2f} on"
    )
    how = "--dtype float16" if tuned.is_second_stage else f"--like {tuned.original}"
    exported = output.with_suffix(".tflite")
    console.print(f"next: unlite export {output} {how} -o {exported}", style="green")
    if tuned.is_second_stage:
        used = f"unlite detect photo.jpg --model {tuned.name} --near --classifier {exported}"
        console.print(f"then: {used}", style="green")


VERB = Verb("finetune", "Teach a detector the labels of a folder of pictures.", add_options, run)
