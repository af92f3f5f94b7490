"""Two detectors of which one shall do what the other does: where their anchors meet, and what the one asks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.detectors.table import Detector
from converter.errors import BadDetector
from parity.runners.runtimes import Array, Run
from unlite.detection.pipeline import Floats, class_count
from unlite.training.lessons.classes import box_place, boxes_wanted, probabilities
from unlite.training.lessons.source import Source
from unlite.training.lessons.targets import decode_boxes, encode_boxes


@dataclass(frozen=True)
class Pair:
    """A student and its teacher.

    Attributes:
        student: What is trained.
        teacher: What it shall do; its input may be of another size, and have fewer channels.
    """

    student: Source
    teacher: Source

    @classmethod
    def of(cls, student: Any, teacher: Any, detector: Detector | None = None) -> "Pair":
        """Load both.

        Args:
            student: See `Source.of`.
            teacher: As `student`.
            detector: What the teacher's tensors mean; default: the known detector that has such tensors.

        Raises:
            BadDetector: One of them is none, or the one cannot say what the other says; the message says why.
            UnliteError: One of them cannot be read or converted.
        """
        loaded = Source.of(teacher, detector)
        made = cls(Source.of(student, loaded.detector), loaded)
        made._check()
        return made

    def _check(self) -> None:
        student, teacher = self.student.detector, self.teacher.detector
        names = f"{self.student.name} cannot learn from {self.teacher.name}"
        ends = [[int(x.shape[-1]) for x in source.model.outputs] for source in (self.student, self.teacher)]
        if ends[0] != ends[1]:
            raise BadDetector(f"{names}: its outputs have {ends[0]} values at each anchor, and the teacher's {ends[1]}")
        if len(ends[0]) != 2:
            raise BadDetector(f"{names}: it has {len(ends[0])} outputs, expected boxes and logits")
        sizes = [f"{detector.height}×{detector.width}" for detector in (student, teacher)]
        if student.height * teacher.width != student.width * teacher.height:
            hint = "give it an input of the teacher's proportions"
            raise BadDetector(f"{names}: it sees pictures of {sizes[0]} pixels, the teacher {sizes[1]}", hint)
        if self.channels < 3:
            raise BadDetector(f"{names}: it takes {self.channels} channels, and pictures have 3")

    @property
    def channels(self) -> int:
        """How many the student takes; those that pictures do not have are zero."""
        return int(self.student.model.inputs[0].shape[-1])

    @property
    def classes(self) -> int:
        """How many both tell apart."""
        return class_count([x.shape[1:] for x in self.student.model.outputs], self.student.detector)

    @property
    def eyes(self) -> Detector:
        """The one that sees more: the other gets the same, made smaller."""
        return max(self.student.detector, self.teacher.detector, key=lambda detector: detector.height)

    def seen(self, tensor: Array, detector: Detector) -> Array:
        """What `eyes` see, as one of the two takes it.

        Args:
            tensor: [1, height, width, 3].
            detector: Of the student or of the teacher.
        """
        if tensor.shape[1:3] == (detector.height, detector.width):
            return tensor
        import cv2

        made = cv2.resize(tensor[0], (detector.width, detector.height), interpolation=cv2.INTER_AREA)
        return np.asarray(made, np.float32)[None]

    def widened(self, tensor: Array) -> Array:
        """With the channels that pictures do not have."""
        return np.pad(tensor, [(0, 0)] * 3 + [(0, self.channels - tensor.shape[-1])])

    def running(self, run: Run) -> Run:
        """A runner of the student that takes pictures."""
        return lambda inputs: run([self.widened(np.asarray(inputs[0]))])

    @cached_property
    def anchors(self) -> NDArray[np.intp]:
        """For each of the student's anchors the teacher's: the same one of its cell, in the nearest cell."""
        made, before = [], 0
        grids = zip(self.student.detector.grids, self.teacher.detector.grids, strict=True)
        for (rows, columns, count), (its_rows, its_columns, _) in grids:
            row = ((np.arange(rows) + 0.5) / rows * its_rows).astype(np.intp)
            column = ((np.arange(columns) + 0.5) / columns * its_columns).astype(np.intp)
            cells = (row[:, None] * its_columns + column)[..., None] * count + np.arange(count)
            made.append(cells.reshape(-1) + before)
            before += its_rows * its_columns * count
        return np.concatenate(made)

    def wanted(self, regressors: Floats, logits: Floats) -> tuple[Floats, Floats]:
        """What the student shall say.

        Args:
            regressors: [anchors, coordinates] of the teacher.
            logits: [anchors, classes] of the teacher.

        Returns:
            For `losses.smooth_l1` [anchors, coordinates + 1], and for `losses.held_scores` [anchors, classes].
        """
        student, teacher = self.student.detector, self.teacher.detector
        if student.height != teacher.height:
            logits = logits[self.anchors]
            boxes, keypoints = decode_boxes(regressors, teacher)
            regressors = encode_boxes(boxes[self.anchors], keypoints[self.anchors], student)
        return boxes_wanted(regressors, logits), probabilities(logits)

    def box_place(self) -> int:
        """Which of the outputs has the boxes."""
        return box_place(self.student.model.outputs, self.student.detector)
