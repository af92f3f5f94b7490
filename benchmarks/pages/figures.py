"""The tables of `docs/figures.md`, of what was measured."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks import commands, large, looking
from benchmarks.pages.page import table
from benchmarks.pages.peers import PACKAGES, Peer
from benchmarks.pages.waiting import Wait, ratios
from unlite.cost.latency import Spread


def times(ratio: Spread) -> str:
    """A ratio with its quartiles."""
    return f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def of_commands(costs: Iterable[commands.Cost]) -> str:
    """Whole commands."""
    columns = ["command", "#s", "#× import keras", "#of processor time, ×", "#peak, MB"]
    return table(columns, map(_command, costs))


def _command(cost: commands.Cost) -> list[str]:
    seconds = median(run.seconds for run in cost.runs)
    peak = max(run.peak_mb for run in cost.runs)
    return [cost.command, f"{seconds:.2f}", times(cost.wall), times(cost.processor), f"{peak:.0f}"]


def of_peers(measured: Iterable[Peer], versions: Sequence[str]) -> str:
    """Other converters: a table of what they take, and how to have them."""
    columns = ["model", "way", "gives", "#trainable", "#largest difference", "#MB"]
    columns += ["#× import keras", "#of processor time, ×", "#× import keras of its own environment"]
    packages = " ".join(f"{name}=={number}" for name, number in zip(PACKAGES, versions, strict=True))
    lines = [
        table(columns, map(_peer, measured)),
        "",
        "The environment of the others is made by",
        "",
        "```console",
        "$ uv venv peers --python 3.11",
        f"$ uv pip install --python peers/bin/python {packages}",
        "```",
    ]
    return "\n".join(lines)


def _peer(peer: Peer) -> list[str]:
    if isinstance(peer.found, str) or peer.cost is None or peer.own is None:
        return [peer.model, peer.way, f"fails: {str(peer.found).replace('|', '/')}", *[""] * 6]
    found = peer.found
    size = f"{found.megabytes:.2f}" if found.megabytes else ""
    ratio = [times(peer.cost.wall), times(peer.cost.processor), times(peer.own.wall)]
    trainable = f"{found.trainable:,} of {peer.numbers:,}"
    return [peer.model, peer.way, found.gives, trainable, f"{found.difference:.0e}", size, *ratio]


def of_looking(costs: Iterable[looking.Cost]) -> str:
    """A picture, in times of its network."""
    columns = ["model", "looks at", "#network, ms", "#picture, ms", "#× network", "#of processor time, ×"]
    return table(columns, map(_picture, costs))


def _picture(cost: looking.Cost) -> list[str]:
    both = [f"{median(taken.wall for taken in part):.2f}" for part in (cost.network, cost.picture)]
    return [cost.model, cost.source, *both, times(cost.ratio), times(cost.processor_ratio)]


def of_large(measured: Sequence[large.Measured]) -> str:
    """Large files and long ones: what each takes, and how that grows."""
    start = {each.command: each.cost for each in measured if each.operators == large.SHORTEST}
    columns = ["file", "#MB", "#operators", "command", "#s", "#× shortest", "#of processor time, ×", "#peak, MB"]
    rows = [
        [
            each.file,
            f"{each.megabytes:.1f}",
            f"{each.operators:,}",
            each.command,
            f"{each.cost.seconds:.1f}",
            f"{each.cost.seconds / start[each.command].seconds:.1f}",
            f"{each.cost.processor_seconds / start[each.command].processor_seconds:.1f}",
            f"{each.cost.peak_mb:.0f}",
        ]
        for each in measured
    ]
    growths = [
        [grown.command, f"{grown.operators:,}", f"{10 * grown.operators:,}", f"{grown.times:.1f}"]
        for grown in large.growth(measured)
    ]
    growth = table(["command", "#from operators", "#to operators", "#processor time, ×"], growths)
    return f"{table(columns, rows)}\n\n{growth}"


def of_heads(measured: Sequence[Wait]) -> str:
    """Waiting for `unlite heads`."""
    seconds = [median(values) for values in ([wait.first for wait in measured], [wait.done for wait in measured])]
    rows = zip(("the first table", "the end"), seconds, ratios(measured), strict=True)
    cells = ([until, f"{taken:.1f}", times(ratio)] for until, taken, ratio in rows)
    return table(["until", "#s", "#× import keras"], cells)
