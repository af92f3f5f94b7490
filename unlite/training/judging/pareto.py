"""What each design is worth beside what it costs, as a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.extras import importing
from converter.files import check_output, whole_file
from unlite.cost.plot import SETTINGS

SUFFIX = ".svg"
WIDTH, HEIGHT = 6.0, 4.0  # inches
FRONT, DOMINATED = "#c44e52", "#8c8c8c"


@dataclass(frozen=True, slots=True)
class Worth:
    """One design.

    Attributes:
        design: Its name.
        classes: How many it tells apart.
        ms: Milliseconds per picture.
        worth: Average precision, or accuracy; from 0 to 1.
    """

    design: str
    classes: int
    ms: float
    worth: float


def front(rows: Sequence[Worth]) -> list[Worth]:
    """Those that none beats: every other one costs more or is worth less. By cost; of equals, the first."""
    kept: list[Worth] = []
    for row in sorted(rows, key=lambda each: (each.ms, -each.worth)):
        if not kept or row.worth > kept[-1].worth:
            kept.append(row)
    return kept


def write_pareto(rows: Sequence[Worth], path: Path, *, worth: str = "mAP@0.5", title: str = "") -> None:
    """Write an SVG: a point per design, its name beside it, a line through those that none beats.

    Args:
        rows: At least one.
        path: Ends in `.svg`.
        worth: What the designs are worth is measured in.
        title: Above the drawing.

    Raises:
        OutputNotWritten: It cannot be written.
        MissingBackend: Matplotlib is not installed.
    """
    with importing("plot", "drawing"):
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

    best, several = front(rows), len({row.classes for row in rows}) > 1
    with mpl.rc_context(SETTINGS), whole_file(check_output(path, SUFFIX)) as whole:
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(figure)  # needs no display
        axes = figure.subplots()
        axes.plot([row.ms for row in best], [row.worth for row in best], color=FRONT, linewidth=1, zorder=1)
        for row in rows:
            # Above the line what is on it, below it the rest: designs that are near each other keep their names apart.
            colour, place = (FRONT, (5, 5)) if row in best else (DOMINATED, (5, -12))
            axes.scatter(row.ms, row.worth, color=colour, zorder=2)
            name = f"{row.design}, {row.classes} classes" if several else row.design
            axes.annotate(name, (row.ms, row.worth), place, textcoords="offset points", parse_math=False)
        axes.margins(0.2)
        axes.set_xlabel("ms per picture")
        axes.set_ylabel(worth)
        axes.set_title(title, fontsize="medium", parse_math=False)
        figure.savefig(whole, format="svg", metadata={"Date": None, "Creator": None})
