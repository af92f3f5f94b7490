"""What all verbs share: their form, options that several of them have, and what stands around long work."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import UnliteError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Called with what is being done.
Progress = Callable[["RenderableType"], None]
# Where no line can be replaced by the next one, one is printed in so many seconds, or in as many as a variable says.
SELDOM, EVERY = 10.0, "UNLITE_PROGRESS"
# Times a second that a line in a terminal is drawn: drawing takes time from what is measured.
OFTEN = 4.0

MODEL: dict[str, Any] = {"metavar": "MODEL", "help": "a .tflite file, or a known model's name (see `unlite zoo`)"}
OVERRIDES: dict[str, Any] = {"type": Path, "metavar": "FILE.toml", "help": "which layers belong together, by hand"}
JSON: dict[str, Any] = {"action": "store_true", "help": "print one JSON document instead of tables"}
NO_VERIFY: dict[str, Any] = {"action": "store_true", "help": "do not compare the result with the original"}
KERAS_OUTPUT: dict[str, Any] = {"type": Path, "metavar": "OUT.keras", "help": "default: MODEL's name in this folder"}
DETECTOR: dict[str, Any] = {
    "metavar": "NAME",
    "help": "what its tensors mean: a table of your own (.toml) or a known name; default: by their shapes",
}


@dataclass(frozen=True)
class Result:
    """What a verb has done.

    Attributes:
        document: Gives it for JSON; None: what people get is all there is.
        show: Prints it for people.
        ok: Whether what was compared agrees, and what was asked for is met.
    """

    document: Callable[[], Any] | None = None
    show: "Callable[[Console], None]" = lambda _: None
    ok: bool = True


@dataclass(frozen=True)
class Verb:
    """One command.

    Attributes:
        text: What it does, for the help.
        add_options: Adds its options to a parser.
        run: Does it; called with the options.
        verbs: Commands of its own.
    """

    name: str
    text: str
    add_options: Callable[[argparse.ArgumentParser], Any]
    run: Callable[[argparse.Namespace], Result]
    verbs: "tuple[Verb, ...]" = ()


@contextmanager
def working(what: str = "importing Keras", *, takes_minutes: bool = False) -> Iterator[Progress]:
    """Around long work: in a terminal a line says what is being done.

    What TensorFlow's and LiteRT's C++ code writes to stderr is kept back, and shown only if something breaks. Our own
    messages, and Python's `sys.stderr`, go to the real one.

    Args:
        what: Is being done first.
        takes_minutes: Whether elsewhere than in a terminal a line is printed now and then.

    Yields:
        What to call with what is being done.
    """
    from parity.report.text import make_console

    visible = os.fdopen(os.dup(2), "w")
    python_stderr, sys.stderr = sys.stderr, visible
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            console = make_console(visible)
            with console.status(what, refresh_per_second=OFTEN) as status:
                is_told = (takes_minutes or EVERY in os.environ) and not console.is_interactive
                yield seldom(console.print, _every()) if is_told else status.update
        except UnliteError:
            raise
        except Exception:
            log.seek(0)
            visible.write(log.read().decode(errors="replace"))
            raise
        finally:
            visible.flush()
            os.dup2(visible.fileno(), 2)
            sys.stderr = python_stderr
            visible.close()


def _every() -> float:
    try:
        return float(os.environ.get(EVERY, SELDOM))
    except ValueError:
        return SELDOM


def seldom(say: Progress, every: float, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Progress of which little is said, and nothing of what is over soon."""
    due = clock() + every

    def progress(what: "RenderableType") -> None:
        nonlocal due
        if clock() >= due:
            say(what)
            due = clock() + every

    return progress


def counted(what: str, progress: Progress) -> Callable[[int, int], None]:
    """Progress of something that counts."""
    return lambda done, all_: progress(f"{what} {done}/{all_}")


def find(model: str) -> Path:
    """The file that the user means; fetching it is told."""
    from converter import zoo

    return zoo.find(model, tell)


def given(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of some options that somebody has given."""
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def tell(line: str) -> None:
    """Say something that is no result."""
    print(line, file=sys.stderr, flush=True)
