"""Latency against the number of classes, as a drawing."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.extras import importing
from converter.files import whole_file
from unlite.cost.latency import milliseconds
from unlite.cost.verdict import Heads

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "preprocessing": "#b3b3b3",
    "backbone": "#4c72b0",
    "heads": "#dd8452",
    "cropping": "#8c8c8c",
    "second stage": "#c44e52",
    "decoding": "#55a868",
    "suppression": "#8172b3",
}
COLOURS_OF_LINES = 10  # matplotlib's, before the first comes again
# Deterministic: the same numbers give the same bytes. Text stays text, which is smaller and can be searched.
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "unlite", "svg.fonttype": "none", "font.size": 9, "path.simplify": True}
PANEL, PANEL_HEIGHT = 3.0, 3.2  # inches


def write_plot(heads: Heads, path: Path) -> None:
    """Write an SVG: stages stacked, one panel per design; below, all runtimes if there are several.

    Args:
        heads: What was measured.
        path: Ends in `.svg`.

    Raises:
        OutputNotWritten: It cannot be written.
        MissingBackend: Matplotlib is not installed.
    """
    with importing("plot", "drawing"):
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

    designs, count = heads.designs, 1 + (len(heads.unchanged) > 1)
    with mpl.rc_context(SETTINGS), whole_file(path) as whole:
        figure = Figure(figsize=(PANEL * len(designs) + 1.5, PANEL_HEIGHT * count), layout="constrained")
        FigureCanvasSVG(figure)  # needs no display
        rows = figure.subplots(count, len(designs), squeeze=False, sharey="row")
        for place, design in enumerate(designs):
            _stack(rows[0][place], heads, design)
            if count > 1:
                _runtimes(rows[1][place], heads, design)
        rows[0][0].set_ylabel(f"ms, {heads.runtime}")
        _legend(figure, rows[0], "outside right upper")
        if count > 1:
            rows[1][0].set_ylabel("ms, every runtime")
            _legend(figure, rows[1], "outside right lower")
        figure.suptitle(f"{heads.model}: picture to detections against the number of classes")
        figure.savefig(whole, format="svg", metadata={"Date": None, "Creator": None})


def _legend(figure: "Figure", panels: Iterable["Axes"], place: Any) -> None:
    """One for all panels, from the top of the stack downwards."""
    pairs = [pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in pairs}
    shown = [name for name in reversed(COLOURS) if name in handles] or list(handles)
    figure.legend([handles[name] for name in shown], shown, loc=place, frameon=False)


def _stack(axes: "Axes", heads: Heads, design: str) -> None:
    rows = heads.rows(heads.runtime, design)
    names = [name for name in COLOURS if name in rows[0].stages]
    # A head of nothing may come out a little below nothing.
    heights = [[1000 * max(row.stages[name].median, 0) for row in rows] for name in names]
    below = [0.0] * len(rows)
    for name, height in zip(names, heights, strict=True):
        axes.bar(range(len(rows)), height, bottom=below, label=name, color=COLOURS[name], width=0.8)
        below = [a + b for a, b in zip(below, height, strict=True)]
    slope = heads.per_class[heads.runtime].get(design)
    title = f"{design}: {milliseconds(slope, '+.4f')} ms per class" if slope else design
    axes.set_title(title, fontsize="medium")
    _ticks(axes, heads, design)


def _runtimes(axes: "Axes", heads: Heads, design: str) -> None:
    from matplotlib.ticker import LogLocator

    for number, runtime in enumerate(heads.unchanged):
        totals = [1000 * row.total.median for row in heads.rows(runtime, design)]
        axes.plot(totals, "-" if number < COLOURS_OF_LINES else "--", label=runtime)
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    _ticks(axes, heads, design)


def _ticks(axes: "Axes", heads: Heads, design: str) -> None:
    classes = [str(row.classes) for row in heads.rows(heads.runtime, design)]
    axes.set_xticks(range(len(classes)), classes)
    axes.set_xlabel("classes")
