"""`unlite heads` for people."""

from rich.console import Console
from rich.text import Text

from parity.report.console import table
from unlite.cost.latency import Spread
from unlite.cost.verdict import Heads, Measured

COLUMNS = ("design", "#classes", "#network", "#spread", "#× unchanged", "#expected", "#× fewest", "#heads", "#decoding")
SPELLED = "milliseconds, median of {} rounds; ×: ratios within each round; expected: by multiply-adds or bytes"


def print_heads(console: Console, heads: Heads) -> None:
    """One table per runtime, then the recommendation."""
    for runtime in heads.unchanged:
        rows = table(*COLUMNS, "#total", "verdict")
        for row in heads.rows(runtime):
            rows.add_row(*cells(row), Text("slow", style="red") if row.is_slow else Text("ok", style="green"))
        unchanged = heads.unchanged[runtime].median
        console.print(
            f"{runtime}: the unchanged {heads.model} takes {unchanged:.2f} times as long as in LiteRT, XNNPACK"
        )
        console.print(rows)
        console.print(f"{SPELLED.format(heads.rounds[runtime])}\n")
    stages = heads.best.stages
    console.print(f"stages: {', '.join(f'{name} {_ms(stage.median)}' for name, stage in stages.items())} ms")
    console.print(f"decoding and suppression of {heads.candidates} candidates; two_stage looks at one region")
    console.print(heads.recommendation, style="green" if heads.is_met else "bold red")


def cells(row: Measured) -> list[str]:
    """What the table says of one design."""
    return [
        row.design,
        str(row.classes),
        _ms(row.model.median),
        _range(row.model),
        f"{row.ratio.median:.3f}",
        f"{row.expected:.3f}",
        f"{row.growth.median:.3f}",
        _ms(row.stages["heads"].median),
        _ms(row.stages["decoding"].median),
        _ms(row.total.median),
    ]


def _range(seconds: Spread) -> str:
    return f"{_ms(seconds.low)}–{_ms(seconds.high)}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"
