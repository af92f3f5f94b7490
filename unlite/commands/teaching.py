"""`unlite finetune --teacher`: a changed detector learns to do again what its original does."""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.errors import BadData
from converter.extras import check_extra
from converter.files import check_output
from unlite.commands.frame import Result, find, given, tell, working

if TYPE_CHECKING:
    from rich.console import Console

    from unlite.training.result import Taught
    from unlite.training.settings import TeachingSettings

# Options that are about labels, of which a teacher needs none.
ABOUT_LABELS = ("design", "train", "labels", "group", "copies", "width")
SHOWN = 8


def run(arguments: argparse.Namespace) -> Result:
    """Teach, judge, save; the model is written when all is done."""
    from converter import detectors
    from unlite.training.lessons.features import STATE, clear
    from unlite.training.teaching import teach

    check_extra("train", "unlite finetune")
    for name in ABOUT_LABELS:
        if getattr(arguments, name) is not None:
            raise BadData(f"a teacher needs no labels: --teacher and --{name} exclude each other")
    output = check_output(arguments.output or Path(f"{Path(arguments.model).stem}_repaired.keras"))
    folder = arguments.folder or output.with_name(f"{output.stem}-run")
    detector = detectors.find(arguments.detector) if arguments.detector else None
    student, teacher = (
        name if name.endswith(".keras") else find(name) for name in (arguments.model, arguments.teacher)
    )
    if (folder / STATE).exists():
        tell(f"{folder} has an interrupted run: it goes on if nothing has changed")
    settings = _settings(arguments)
    with working("reading the pictures", takes_minutes=True) as progress:
        taught = teach(student, arguments.data, teacher, settings, folder=folder, detector=detector, progress=progress)
        progress("writing")
        converter.save(taught.model, output)
        clear(folder)
    return Result(partial(document, taught, output), partial(show, taught, output))


def _settings(arguments: argparse.Namespace) -> "TeachingSettings":
    from unlite.training.settings import TeachingSettings

    usual = TeachingSettings()
    course = replace(usual.course, **given(arguments, "epochs", "batch", "learning_rate", "seed", "tensorboard"))
    return replace(usual, course=course, **given(arguments, "share", "seed"))


def document(taught: "Taught", output: Path) -> dict[str, Any]:
    """For JSON."""
    return taught.as_dict() | {"output": str(output)}


def show(taught: "Taught", output: Path, console: "Console") -> None:
    """How much of what the teacher finds is found again."""
    for problem in taught.problems[:SHOWN]:
        console.print(f"left out: {problem}")
    if len(taught.problems) > SHOWN:
        console.print(f"… and {len(taught.problems) - SHOWN} more; --json lists all")
    console.print(f"of what {taught.name} detects in {taught.pictures[1]} pictures that were held out:")
    console.print(f"before: {taught.before}")
    console.print(f"after:  {taught.after}")
    seconds = sum(taught.seconds.values())
    passes, best = taught.trained.epochs, taught.trained.best
    said = f"best of {passes} passes: {best}" if best else f"none of {passes} passes made it better: it is as it was"
    console.print(f"{said}; {seconds:.0f} s in all")
    console.print(f"wrote {output}")
