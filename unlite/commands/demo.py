"""`unlite demo`: the palm detector inspected, converted, and beside the original, near and far."""

import argparse
from pathlib import Path

from converter.errors import OutputNotWritten
from converter.extras import check_extra
from unlite.commands import inspect
from unlite.commands.convert import convert
from unlite.commands.frame import Result, Verb, find, working

NAME = "palm_detection_full"
SIZE, WHITE = 480, (255, 255, 255)
# Near, further away, far: height of the hand as a share of the picture's.
SCALES = (0.5, 0.35, 0.2)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to write."""
    text = "folder (default: %(default)s)"
    parser.add_argument("-o", "--output", type=Path, default=Path("unlite-demo"), help=text)


def run(arguments: argparse.Namespace) -> Result:
    """Three steps; what each has found is told before the next one begins."""
    from parity.report.text import make_console

    check_extra("detect", "unlite demo")
    console, folder = make_console(), arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritten(f"cannot make the folder {folder}: {error}") from None
    target = folder / f"{NAME}.keras"
    source = find(NAME)
    console.print(f"$ unlite inspect {NAME}", style="bold")
    inspect.run(argparse.Namespace(model=source)).show(console)
    console.print(f"\n$ unlite convert {NAME} -o {target}", style="bold")
    made = convert(NAME, target)
    made.show(console)
    if not made.ok:
        return Result(ok=False)
    console.print(f"\n{target} and the original look at hands drawn by code", style="bold")
    with working("looking"):
        text, is_same = find_hands(target, source, folder / "hands.png")
    console.print(text)
    return Result(ok=is_same)


def find_hands(model: Path, original: Path, target: Path) -> tuple[str, bool]:
    """Let a converted palm detector and its original look at drawn hands, and draw into `target` what they find.

    Returns:
        What they found, in words, and whether it is the same.
    """
    import numpy as np

    from unlite.detection.drawing import Side, side_by_side, stacked
    from unlite.detection.drawn import DrawnHand, draw
    from unlite.detection.finder import difference, load_finder

    finder, against = load_finder(model), load_finder(original)
    lines, images, is_same, count = [], [], True, 0
    for scale in SCALES:
        picture = np.asarray(draw(SIZE, SIZE, [DrawnHand(scale, (0.5, 0.52))], WHITE))
        both = finder(picture), against(picture)
        apart = difference(*both)
        is_same, count = is_same and apart.is_same, count + len(apart.pairs)
        seen = " and ".join(f"palm with score {score:.3f}" for score in both[0].scores) or "nothing"
        lines.append(f"a hand of {scale:.0%} of the picture: {seen}; {apart}")
        sides = Side(finder.name, both[0]), Side(against.name, both[1])
        images.append(side_by_side(picture, sides, apart))
    stacked(images).save(target)
    return "\n".join([*lines, f"drawn into {target}"]), is_same and count > 0


VERB = Verb("demo", "Convert MediaPipe's palm detector, verify it, and let both models find hands.", add_options, run)
