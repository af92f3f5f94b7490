"""Measure and write `docs/heads.md` and `docs/heads.svg`: `tox exec -e bench -- python -m benchmarks.heads_page`."""

import sys
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.exports import exports, operators
from benchmarks.pages.page import DOCS, filled, table
from converter.errors import VerificationImpossible
from converter.files import whole_file
from parity.inputs import seeded_inputs
from parity.runners.runtimes import Array, LiteRT
from tests.tools.models import fresh, original
from unlite.commands.heads import cells
from unlite.cost.latency import interleave, milliseconds
from unlite.cost.measure import measure
from unlite.cost.plot import write_plot
from unlite.cost.runtimes import RUNTIMES, parse_runtimes
from unlite.cost.verdict import Heads

NAME = "palm_detection_full"
SECONDS = 20.0
SHOWN = ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU", "ADD", "NEG", "RELU", "MUL", "TRANSPOSE", "READ_VARIABLE")


def curves(heads: Heads) -> Iterator[list[str]]:
    """Per runtime and design: the networks' milliseconds, and times the unchanged detector."""
    for runtime in heads.unchanged:
        for design in heads.designs:
            rows = heads.rows(runtime, design)
            shown = (f"{1000 * row.model.median:.2f} ({row.ratio.median:.2f}×)" for row in rows)
            yield [runtime, design, *shown, milliseconds(heads.per_class[runtime][design], ".4f")]


def places(heads: Heads) -> Iterator[list[str]]:
    """Per runtime: what the unchanged detector takes."""
    for name, ratio in heads.unchanged.items():
        seconds = f"{1000 * heads.seconds[name].median:.2f}"
        yield [name, RUNTIMES[name].text, seconds, f"{ratio.median:.2f}", str(heads.rounds[name])]


def files() -> Iterator[list[str]]:
    """Per export of the unchanged detector: latency, operators, and whether it computes the same."""
    old = original(NAME)
    example = seeded_inputs(old.graph, 1)[0]
    made = {"the original": bytes(old.data)} | exports(old, fresh(NAME), example)
    runs = {name: LiteRT(data, "xnnpack") for name, data in made.items()}
    contenders = {name: partial(run.run, example) for name, run in runs.items()}
    timings = interleave(contenders, rounds=100, seconds=90)
    truth = runs["the original"].run(example)
    for name, data in made.items():
        ratio, counts = timings.ratio([name], ["the original"]), operators(data)
        numbers = [f"{1000 * timings.of(name).median:.2f}", f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"]
        shown = [str(counts[kind] or "") for kind in SHOWN]
        others = str(counts.total() - sum(counts[kind] for kind in SHOWN))
        yield [name, *numbers, _plain(data, example), *shown, others, _same(truth, runs[name].run(example))]


def _plain(data: bytes, example: list[Array]) -> str:
    """Milliseconds with the portable kernels."""
    try:
        run = LiteRT(data, "plain")
        return f"{1000 * interleave({'plain': lambda: run.run(example)}, rounds=10).of('plain').median:.0f}"
    except (VerificationImpossible, RuntimeError):
        return "refused"


def _same(truth: list[Array], made: list[Array]) -> str:
    by_shape = {output.shape: output for output in made}
    error = max(float(np.abs(output - by_shape[output.shape]).max()) for output in truth)
    return f"within {error:.0e}" if np.isfinite(error) else "no: not finite"


def parts(heads: Heads, exported: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    """What goes where in the page."""
    classes = [f"#{row.classes}" for row in heads.rows(heads.runtime, heads.designs[0])]
    numbers = ["#network, ms", "#quartiles", "#× unchanged", "#expected", "#× 1 class", "#heads, ms", "#decoding, ms"]
    yield "recommendation", heads.recommendation
    columns = ["design", "#classes", *numbers, "#picture to detections, ms", "verdict"]
    rows = ([*cells(row), "slow" if row.is_slow else "ok"] for row in heads.rows(heads.runtime))
    yield "designs", table(columns, rows)
    yield "runtimes", table(["runtime", "what it is", "#ms", "#× litert", "#rounds"], places(heads))
    yield "curves", table(["runtime", "design", *classes, "#ms per class"], curves(heads))
    kinds = [f"#{kind}" for kind in SHOWN]
    columns = ["file", "#ms", "#× original", "#ms, portable kernels", *kinds, "#others", "same?"]
    yield "exports", table(columns, exported)


def main() -> None:
    """Write both files."""
    page = DOCS / "heads.md"
    exported = list(files())
    heads = measure(original(NAME), runtimes=parse_runtimes(["all"]), seconds=SECONDS, progress=_tell)
    text = page.read_text(encoding="utf-8")
    for name, part in parts(heads, iter(exported)):
        text = filled(text, name, part)
    write_plot(heads, DOCS / "heads.svg")
    with whole_file(page) as whole:
        whole.write_text(text, encoding="utf-8")


def _tell(line: str) -> None:
    sys.stderr.write(f"\r{line:<72}")


if __name__ == "__main__":
    main()
