"""A training run as one HTML page that needs no network: data, curves, what is taken for what, the worst mistakes."""

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.report.page import write_page
from unlite.detection.drawing import BOX, LINE
from unlite.detection.pipeline import Pixels
from unlite.training.judging.evaluate import Evaluation, Mistake
from unlite.training.judging.mistakes import Kind
from unlite.training.judging.text import decimals, summary

if TYPE_CHECKING:
    from PIL.Image import Image

TEMPLATE = Path(__file__).parent / "templates" / "training.html.j2"
# Of the worst mistakes of each kind, so many are shown; in pixels, what each may measure.
THUMBNAILS: Mapping[Kind, int] = {"confused": 16, "nothing there": 12, "missed": 12}
EDGE, QUALITY = 320, 80
TRUTH = (20, 150, 60)


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a run. What is left empty has no section in the page.

    Attributes:
        title: Of the page.
        evaluation: How good the result is.
        command: What was typed.
        settings: Every setting, by name.
        objects: Label → split → how many there are; what has no label may be a row as well.
        problems: Records that were left out, a line each.
        boxes: Whose boxes they are: what was measured → its value.
        notes: What somebody should know, a line each; on top of the page.
        mosaic: Pictures as the network sees them.
        history: A row per epoch, as `results.csv` has it.
        costs: What was measured → its value, with its unit.
        picture: The evaluated picture of this index, RGB [H, W, 3].
        names: Of all evaluated pictures.
    """

    title: str
    evaluation: Evaluation
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: Sequence[str] = ()
    boxes: Mapping[str, float | str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    mosaic: "Sequence[Image]" = ()
    history: Sequence[Mapping[str, float | str]] = ()
    costs: Mapping[str, float | str] = field(default_factory=dict)
    picture: Callable[[int], Pixels] | None = None
    names: Sequence[str] = ()


def write_report(report: Report, path: Path) -> None:
    """Write the page.

    Args:
        report: What it shows.
        path: Where to; ends in `.html`.

    Raises:
        OutputNotWritten: It cannot be written.
        MissingBackend: Jinja or Plotly is not installed.
    """
    evaluation = report.evaluation
    splits = list(dict.fromkeys(split for counts in report.objects.values() for split in counts))
    data = {
        "labels": list(evaluation.labels),
        "threshold": evaluation.threshold,
        "suggested": evaluation.suggested,
        "thresholds": evaluation.thresholds.tolist(),
        "f1": evaluation.f1.tolist(),
        "mean_f1": evaluation.mean_f1.tolist(),
        "precision": evaluation.precision.tolist(),
        "confusion": evaluation.confusion.tolist(),
        "history": _columns(report.history),
    }
    write_page(
        TEMPLATE,
        path,
        data,
        report=report,
        evaluation=evaluation,
        summary=summary(evaluation),
        splits=splits,
        mosaic=[_jpeg(image) for image in report.mosaic],
        mistakes={
            kind: [_shown(report, mistake) for mistake in evaluation.worst(count, kind)]
            for kind, count in THUMBNAILS.items()
        },
        counts=Counter(mistake.kind for mistake in evaluation.mistakes),
        decimals=decimals,
        spelled=_spelled,
    )


def _columns(history: Sequence[Mapping[str, float | str]]) -> dict[str, list[float | None]]:
    """Column → a number per row; what is no number is none: Keras writes NA."""
    names = dict.fromkeys(name for row in history for name in row)
    return {name: [_number(row.get(name)) for row in history] for name in names}


def _number(value: float | str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _spelled(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(report: Report, mistake: Mistake) -> dict[str, Any]:
    name = report.names[mistake.picture] if report.names else f"picture {mistake.picture}"
    image = _jpeg(drawn(report.picture(mistake.picture), mistake)) if report.picture else None
    return {"mistake": mistake, "name": name, "image": image}


def drawn(picture: Pixels, mistake: Mistake) -> "Image":
    """The part of a picture, RGB [H, W, 3], where the mistake is; green is what is there, red what the model says."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    size = np.array([width, height])
    boxes = {TRUTH: mistake.truth_box, BOX: mistake.found_box}
    corners = {
        colour: np.array([box[:2], np.add(box[:2], box[2:])]).clip(0, 1) * size for colour, box in boxes.items() if box
    }
    both = np.concatenate(list(corners.values()))
    low, high = both.min(axis=0), both.max(axis=0)
    around = (high - low).max()
    low = (low - around).clip(0, size - 1).astype(int)
    high = np.maximum((high + around).clip(0, size).round().astype(int), low + 1)
    cut = Image.fromarray(picture[low[1] : high[1], low[0] : high[0]])
    scale = EDGE / max(cut.size)
    cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))))
    draw = ImageDraw.Draw(cut)
    for colour, points in corners.items():
        draw.rectangle([tuple(point) for point in ((points - low) * scale).tolist()], outline=colour, width=LINE)
    return cut


def _jpeg(image: "Image") -> str:
    """As letters."""
    with io.BytesIO() as file:
        image.convert("RGB").save(file, "JPEG", quality=QUALITY)
        return base64.b64encode(file.getvalue()).decode()
