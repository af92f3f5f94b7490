"""An evaluation as text."""

from typing import TYPE_CHECKING

from parity.report.text import table
from unlite.training.judging.evaluate import Evaluation
from unlite.training.judging.matching import IOU

if TYPE_CHECKING:
    from rich.console import Console


def show_evaluation(evaluation: Evaluation, console: "Console") -> None:
    """Every class in a row, then what holds for all of them, and at which threshold."""
    rows = table("class", "#objects", "#found", "#AP50", "#precision", "#recall", "#F1")
    for each in evaluation.classes:
        numbers = (each.ap50, each.precision, each.recall, each.f1)
        rows.add_row(each.label, str(each.objects), str(each.found), *map(decimals, numbers))
    console.print(rows)
    console.print(summary(evaluation))
    if evaluation.left_out:
        console.print(f"note: {evaluation.left_out} detections had no finite score and box, and count nowhere")


def summary(evaluation: Evaluation) -> str:
    """One line."""
    at = f"at threshold {evaluation.threshold:.2f}"
    if evaluation.threshold != evaluation.suggested:
        at += f" (these pictures suggest {evaluation.suggested:.2f})"
    alarms = decimals(evaluation.false_alarms)
    return (
        f"mAP@{IOU} {evaluation.map50:.3f}, mAP@[.5:.95] {evaluation.map:.3f}; {at} right class in the right place "
        f"{evaluation.accuracy:.3f}, false alarms per picture without objects {alarms}"
    )


def decimals(value: float) -> str:
    """Three of them; - where the number is not defined."""
    return "-" if value != value else f"{value:.3f}"
