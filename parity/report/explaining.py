"""Why two layers were paired, and what spoke against it: as data and as text."""

import difflib
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

from converter.errors import BadCandidate
from converter.match.alignment.evidence import Evidence, Match, Rival
from converter.match.matching import Matching
from converter.ops.forms import Node

if TYPE_CHECKING:
    from rich.console import Console

    from parity.layerwise.check import Compared

CLOSE = 3  # names that a message suggests


def explanations(matching: Matching) -> Iterator[dict[str, Any]]:
    """Every pair with its evidence, then what has no partner, for JSON."""
    for found in matching.matches:
        yield {
            "file": found.ours.name if found.ours else None,
            "model": found.theirs.name if found.theirs else None,
            "evidence": found.evidence.value,
            "points": _finite(found.points),
            "reasons": [{"text": text, "points": _finite(points)} for text, points in found.reasons],
            "rivals": [_rival(rival) for rival in found.rivals],
        }
    for node in matching.open_ours:
        rivals = [_rival(rival) for rival in matching.considered.get(node, ())]
        yield _alone("file", node) | {"rivals": rivals}
    for node in matching.open_theirs:
        yield _alone("model", node) | {"rivals": []}


def print_explanation(console: "Console", compared: "Compared", layer: str) -> None:
    """Why a layer was paired with another one; `layer` is a name that `check_layer` knows."""
    matching = compared.matching
    for found in matching.matches:
        if layer in _names(found):
            _print_match(console, found)
    for node in (*matching.open_ours, *matching.open_theirs):
        if node.name == layer:
            _print_alone(console, node, matching.considered.get(node, ()))
    for finding in compared.report.findings:
        if layer in {node.name for node in (finding.ours, finding.theirs) if node}:
            console.print(f"  differs: {finding.message}", style="yellow")


def check_layer(matching: Matching, layer: str) -> None:
    """Check that either side has a layer of this name.

    Raises:
        BadCandidate: Neither has; the message suggests names.
    """
    every = {name for found in matching.matches for name in _names(found)}
    every |= {node.name for node in (*matching.open_ours, *matching.open_theirs)}
    if layer not in every:
        close = difflib.get_close_matches(layer, sorted(every), CLOSE, cutoff=0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else "the report names its layers"
        raise BadCandidate(f"neither the original nor the candidate has a layer {layer!r}", hint)


def _names(found: Match) -> set[str]:
    return {name for node in (found.ours, found.theirs) if node for name in (node.name, *node.layers)}


def _print_match(console: "Console", found: Match) -> None:
    ours, theirs = (node.name if node else "nothing" for node in (found.ours, found.theirs))
    points = f", {found.points:g} points" if isfinite(found.points) else ""
    how = "stands in the place of" if found.evidence is Evidence.PLACE else "is"
    console.print(f"{theirs} of the candidate {how} {ours} of the original (by {found.evidence.value}{points})")
    for reason in found.reasons:
        console.print(f"  {_signed(reason.points)}  {reason.text}", style="red" if reason.points < 0 else "")
    for rival in found.rivals:
        console.print(f"  instead: {_described(rival)}")


def _print_alone(console: "Console", node: Node, rivals: tuple[Rival, ...]) -> None:
    console.print(f"{node.name} has no partner", style="yellow")
    for rival in rivals:
        console.print(f"  possible: {_described(rival)}")
    if len(rivals) > 1 and rivals[0].points == rivals[1].points:
        console.print("  nothing tells these apart: a table of overrides can")


def _described(rival: Rival) -> str:
    return f"{rival.theirs} as {rival.ours} ({rival.points:g} points)"


def _signed(points: float) -> str:
    return f"{points:+5.1f}" if isfinite(points) else "given"


def _finite(points: float) -> float | None:
    return points if isfinite(points) else None


def _rival(rival: Rival) -> dict[str, Any]:
    return {"file": rival.ours, "model": rival.theirs, "points": rival.points}


def _alone(side: str, node: Node) -> dict[str, Any]:
    sides = {"file": None, "model": None} | {side: node.name}
    return sides | {"evidence": None, "points": None, "reasons": []}
