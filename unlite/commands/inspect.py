"""`unlite inspect`: what is in a file."""

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

import converter
from unlite.commands.frame import JSON, MODEL, Result, Verb, find

if TYPE_CHECKING:
    from rich.console import Console


def add_options(parser: argparse.ArgumentParser) -> None:
    """A model."""
    parser.add_argument("model", **MODEL)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Read and summarize."""
    from converter.blueprints.summary import summarize

    summary = summarize(converter.read(find(arguments.model)))
    return Result(lambda: summary, partial(show, summary))


def show(summary: dict[str, Any], console: "Console") -> None:
    """What `converter.blueprints.summary.summarize` found."""
    from parity.report.text import spelled, table

    headline = f"{summary['name']}  {summary['bytes'] / 1e6:.2f} MB  {summary['parameters']:,} parameters"
    console.print(headline, style="bold")
    tensors = table("", "name", "shape", "type")
    for side in ("inputs", "outputs"):
        for entry in summary[side]:
            tensors.add_row(side[:-1], entry["name"], spelled(entry["shape"]), entry["dtype"])
    storage = table("weights", "#tensors", "#parameters", "#bytes")
    for label, entry in summary["weight_storage"].items():
        storage.add_row(label, *(f"{entry[key]:,}" for key in ("tensors", "parameters", "bytes")))
    operators = table("operator", "#count")
    for kind, count in summary["operators"].items():
        operators.add_row(kind + " (custom)" * (kind in summary["custom_operators"]), str(count))
    for part in (tensors, storage, operators):
        console.print(part)
        console.print()
    _show_facts(console, summary)
    _show_outlook(console, summary["unsupported"])


def _show_facts(console: "Console", summary: dict[str, Any]) -> None:
    facts = {name: ", ".join(summary[name]) for name in ("metadata", "signatures")}
    for name, fact in ({"description": summary["description"]} | facts).items():
        if fact:
            console.print(f"{name}: {fact}")
    if labels := summary["labels"]:
        threshold = "" if labels["threshold"] is None else f" (from a score of {labels['threshold']:g})"
        console.print(f"labels{threshold}: {', '.join(labels['names'])}")


def _show_outlook(console: "Console", reasons: list[str]) -> None:
    if not reasons:
        console.print("can be converted", style="green")
        return
    console.print(f"cannot be converted, for {len(reasons)} reason{'s' * (len(reasons) > 1)}:", style="red")
    for reason in dict.fromkeys(reasons):
        console.print(f"  {reason}")


VERB = Verb("inspect", "Say what is in a model, and what of it cannot be converted.", add_options, run)
