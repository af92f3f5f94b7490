"""`unlite collect`: a data set from a camera on a page of its own, or from films and folders without one."""

import argparse
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import BadInput
from converter.extras import check_extra
from unlite.commands.frame import DETECTOR, JSON, Result, Verb, find, tell, working

if TYPE_CHECKING:
    from rich.console import Console

    from unlite.collecting.collector import Collector
    from unlite.collecting.sources import Fed

SHOWN = 8  # problems


def add_options(parser: argparse.ArgumentParser) -> None:
    """Labels for the page, or one label and what shows it; and where it shall lie."""
    text = "without a page: pictures, videos, folders of both, or the number of a camera, all of which show --label"
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=text)
    text = "which labels there are; `none` is for pictures without any (default: those that OUT has)"
    parser.add_argument("--labels", metavar="L,...", help=text)
    parser.add_argument("--label", metavar="L", help="what all sources show")
    text = "the data set: a folder for each label, and annotations.json; what is there goes on (default: %(default)s)"
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", default=Path("collected"), help=text)
    text = "what finds the hands or faces: .tflite, or a known model's name (default: %(default)s)"
    parser.add_argument("--model", default="palm_detection_full", metavar="MODEL", help=text)
    parser.add_argument("--detector", **DETECTOR)
    text = "who is seen: training keeps a person's pictures together (the page asks as well)"
    parser.add_argument("--person", default="", metavar="NAME", help=text)
    text = "most frames of a video or camera (default: all of a video; of a camera until Ctrl-C)"
    parser.add_argument("--frames", type=int, metavar="N", help=text)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of the page (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the page's address, and open nothing")
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Collect until the page's server is interrupted, or the sources end."""
    check_extra("collect", "unlite collect")
    for extra in ("train", "detect"):
        check_extra(extra, "unlite collect")
    _check(arguments)
    from unlite.collecting.collector import Collector
    from unlite.collecting.labels import check_labels, check_person
    from unlite.detection.finder import load_finder
    from unlite.detection.images import find_sources

    labels = check_labels(arguments.labels.split(",")) if arguments.labels else ()
    label = check_labels([arguments.label])[0] if arguments.label else ""
    sources, person = find_sources(arguments.sources), check_person(arguments.person)
    model = find(arguments.model)
    with working("loading"):
        from converter import detectors

        detector = detectors.find(arguments.detector) if arguments.detector else None
        collector = Collector(arguments.output, load_finder(model, detector), person)
        notes = collector.store.open(labels, [label] if label else [])
    for note in notes:
        tell(note)
    fed = None
    try:
        if label:
            fed = _feed(collector, sources, label, arguments)
        else:
            _serve(collector, arguments)
    finally:
        collector.store.close()
    return Result(lambda: document(collector, fed), lambda console: show(collector, fed, console))


def _check(arguments: argparse.Namespace) -> None:
    if arguments.label and arguments.labels:
        raise BadInput("--label names what all sources show, --labels what the page's buttons say", "give one of them")
    if arguments.label and not arguments.sources:
        raise BadInput(f"nothing shows {arguments.label!r}", hint="name a video, a folder or a camera; or --labels")
    if arguments.sources and not arguments.label:
        raise BadInput(f"nothing says what {arguments.sources[0]} shows", hint="--label L")
    if arguments.frames is not None and arguments.frames < 1:
        raise BadInput(f"{arguments.frames} frames: nothing would be looked at", hint="at least 1")


def _feed(collector: "Collector", sources: list[str], label: str, arguments: argparse.Namespace) -> "Fed":
    from unlite.collecting.sources import feed

    with working("looking", takes_minutes=True) as progress:
        return feed(collector, sources, label, arguments.frames, lambda fed: progress(f"{label}: {fed}"))


def _serve(collector: "Collector", arguments: argparse.Namespace) -> None:
    from unlite.collecting.jobs import Jobs
    from unlite.collecting.serving.desk import Desk
    from unlite.collecting.serving.server import serve

    def ready(address: str) -> None:
        tell(f"open {address}  (Ctrl-C ends; pictures stay on this computer)")
        if not arguments.no_browser:
            webbrowser.open(address)

    jobs = Jobs(arguments.model, arguments.output)
    try:
        serve(Desk(collector, jobs), arguments.port, ready)
    finally:
        jobs.stop()


def document(collector: "Collector", fed: "Fed | None") -> dict[str, Any]:
    """For JSON."""
    counts = collector.store.counts
    return {
        "output": str(collector.store.root),
        "session": collector.session,
        "labels": {label: counts.pictures[label] for label in collector.store.labels},
        "doubtful": {label: counts.doubtful[label] for label in collector.store.labels},
        "dropped": dict(collector.dropped),
        "problems": fed.problems if fed else [],
    }


def show(collector: "Collector", fed: "Fed | None", console: "Console") -> None:
    """What the data set has now, and what to do with it."""
    from parity.report.text import table

    for problem in fed.problems[:SHOWN] if fed else ():
        console.print(f"left out: {problem}")
    if fed and len(fed.problems) > SHOWN:
        console.print(f"… and {len(fed.problems) - SHOWN} more; --json lists all")
    if fed:
        console.print(str(fed))
    counts, root = collector.store.counts, collector.store.root
    rows = table("label", "#pictures", "#doubtful")
    for label in collector.store.labels:
        rows.add_row(label, str(counts.pictures[label]), str(counts.doubtful[label]))
    console.print(rows)
    count = sum(counts.pictures.values())
    console.print(f"{root}: {count} pictures and annotations.json")
    if count:
        model = collector.eye.finder.name.removesuffix(".tflite")
        console.print(f"next: unlite finetune {model} --data {root} -o {root.name}.keras", style="green")


VERB = Verb("collect", "Show gestures to a camera, or name videos, and get a data set.", add_options, run)
