"""Detections and truth written down as rows, and a training report made up for its page."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.tools.html_pages import HOSTILE
from unlite.detection.pipeline import Detections, Pixels
from unlite.training.judging.evaluate import Evaluation, Truth, evaluate
from unlite.training.judging.report import Report

LABELS = ["fist", "palm", "none of these"]
SIZE = (48, 64)  # pixels
Row = Sequence[float]
LEFT, RIGHT = (0.1, 0.1, 0.3, 0.4), (0.6, 0.4, 0.3, 0.4)


def found(*rows: Row) -> Detections:
    """Each: left, top, width, height, score, class."""
    made = np.array(rows, np.float32).reshape(-1, 6)
    none = np.zeros((len(made), 0, 2), np.float32)
    return Detections(made[:, :4], none, made[:, 4], made[:, 5].astype(np.intp))


def truth(*rows: Row) -> Truth:
    """Each: left, top, width, height, class."""
    made = np.array(rows, np.float32).reshape(-1, 5)
    return Truth(made[:, :4], made[:, 4].astype(np.intp), SIZE)


def some(seed: int, pictures: int = 30, labels: int = 3) -> tuple[list[Detections], list[Truth]]:
    """Objects, and detections that are near them or anywhere, right or wrong; every score is another one."""
    random = np.random.default_rng(seed)
    detections, there = [], []
    for _ in range(pictures):
        boxes = np.concatenate([random.uniform(0, 0.5, (3, 2)), random.uniform(0.2, 0.5, (3, 2))], axis=1)
        classes = random.integers(0, labels, 3)
        count = random.integers(0, 4)
        there.append(truth(*(([*box, number]) for box, number in zip(boxes[:count], classes, strict=False))))
        near = np.repeat(boxes, 2, axis=0) + random.normal(0, 0.04, (6, 4)) * [1, 1, 0.5, 0.5]
        said = np.where(random.random(6) < 0.6, np.repeat(classes, 2), random.integers(0, labels, 6))
        rows = np.column_stack([near, random.random(6), said])
        detections.append(found(*rows[random.random(6) < 0.8].tolist()))
    return detections, there


def with_every_mistake(labels: Sequence[str] = ("fist", HOSTILE)) -> Evaluation:
    """One of each kind, and one object that is right."""
    detections = [found((*LEFT, 0.9, 0)), found((*LEFT, 0.95, 1)), found((*RIGHT, 0.8, 0)), found()]
    there = [truth((*LEFT, 0)), truth((*LEFT, 0)), truth(), truth((*RIGHT, 1))]
    return evaluate(detections, there, labels, threshold=0.5)


def picture(index: int) -> Pixels:
    return np.full((*SIZE, 3), 40 * index, np.uint8)


def a_report() -> Report:
    """With every section, and with names that a page may stumble over."""
    return Report(
        title=f"gestures {HOSTILE}",
        evaluation=with_every_mistake(),
        command="unlite finetune palm --data <b>",
        settings={"epochs": 20, "rate": 0.001, "seed": HOSTILE},
        objects={"fist": {"train": 10, "val": 3}, HOSTILE: {"train": 7}},
        problems=["<b>labels.json</b>:7: no picture"],
        boxes={"median overlap": 0.512345, "<b>convention</b>": "palms"},
        notes=["<b>neither convention fits</b>"],
        mosaic=[Image.new("RGB", (32, 24)), Image.new("L", (24, 24))],
        history=[
            {"epoch": 0, "loss": 2.0, "val_loss": 2.5, "learning_rate": 1e-3, "seconds": 3.0, "<b>map": 0.1},
            {
                "epoch": "1",
                "loss": "1.0",
                "val_loss": "NA",
                "learning_rate": "5e-4",
                "seconds": "3",
                "<b>map": float("nan"),
            },
        ],
        costs={"network": "9.1 ms", "× unchanged": 1.0123456},
        picture=picture,
        names=["a.jpg", "b<i>.jpg", "c.jpg", "d.jpg"],
    )
