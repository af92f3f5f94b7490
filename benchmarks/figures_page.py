"""Measure and write `docs/figures.md`: `tox exec -e bench -- python -m benchmarks.figures_page [SECTION …]`.

Sections are measured one after the other, and each is written when it is done; others stay as they are. All together
take an hour on two cores. Other converters are asked only where there is an environment that has them.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import commands, large, looking
from benchmarks.pages import figures, waiting
from benchmarks.pages.machine import machine
from benchmarks.pages.page import DOCS, filled
from benchmarks.pages.peers import peers, versions
from converter.files import whole_file

PAGE = DOCS / "figures.md"


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured with.

    Attributes:
        peers: The interpreter of an environment with other converters; empty without.
        lengths: Of the chains of operators.
    """

    peers: str
    lengths: Sequence[int]


def _commands(settings: Settings) -> str:
    return figures.of_commands(commands.costs())


def _peers(settings: Settings) -> str:
    return figures.of_peers(peers(settings.peers), versions(settings.peers))


def _looking(settings: Settings) -> str:
    return figures.of_looking(looking.costs([]))


def _large(settings: Settings) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return figures.of_large(list(large.measure(Path(folder), settings.lengths)))


def _heads(settings: Settings) -> str:
    return figures.of_heads(list(waiting.waits()))


# Name of a section, which is also its mark in the page → its tables.
SECTIONS: Mapping[str, Callable[[Settings], str]] = {
    "commands": _commands,
    "peers": _peers,
    "looking": _looking,
    "large": _large,
    "heads": _heads,
}


def write(page: Path, name: str, tables: str, measured: str) -> None:
    """Put a section into the page, with what it was measured on."""
    part = f"{tables}\n\nMeasured by `python -m benchmarks.figures_page {name}`: {measured}."
    text = filled(page.read_text(encoding="utf-8"), name, part)
    with whole_file(page) as whole:
        whole.write_text(text, encoding="utf-8")


def parse(words: Sequence[str]) -> tuple[list[str], Settings]:
    """Which sections, and what with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures_page", description="Write docs/figures.md.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--peers", default="", metavar="PYTHON", help="of an environment with other converters")
    text = "how many operators the chains have (default: %(default)s)"
    parser.add_argument("--lengths", nargs="+", type=int, default=large.LENGTHS, metavar="N", help=text)
    arguments = parser.parse_args(words)
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: {', '.join(SECTIONS)}")
    if "peers" in arguments.sections and not arguments.peers:
        parser.error("peers: --peers says which interpreter has them")
    sections = arguments.sections or [name for name in SECTIONS if name != "peers" or arguments.peers]
    # Not resolved: an environment's interpreter is a link, and is the environment's only by that name.
    python = os.path.abspath(arguments.peers) if arguments.peers else ""  # noqa: PTH100
    return sections, Settings(python, arguments.lengths)


def main(words: Sequence[str]) -> None:
    """Write the sections."""
    sections, settings = parse(words)
    for name in sections:
        write(PAGE, name, SECTIONS[name](settings), machine())


if __name__ == "__main__":
    main(sys.argv[1:])
