"""The detector that is trained: as a Keras model, and as something that runs fast."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import converter
from converter import detectors
from converter.detectors.table import Detector
from converter.errors import BadDetector, UnliteError
from converter.tflite.model import Model
from converter.write.writer import write
from parity.runners.runtimes import LiteRT, Run, keras_runner
from unlite.detection.pipeline import check_outputs


@dataclass(frozen=True)
class Source:
    """A detector.

    Attributes:
        name: What to call it.
        model: As a `keras.Model`.
        detector: What its tensors mean.
        file: The file that it was read from; None for a Keras model.
    """

    name: str
    model: Any
    detector: Detector
    file: Model | None = None

    @classmethod
    def of(cls, given: Any, detector: Detector | None = None) -> "Source":
        """Load it.

        Args:
            given: A `.tflite` or `.keras` file, what `converter.read` returned, or a `keras.Model`.
            detector: What its tensors mean, perhaps at another size of the input; default: the known detector that has
                such tensors.

        Raises:
            BadDetector: It is none.
            UnliteError: It cannot be read or converted.
        """
        file: Model | None = None
        if isinstance(given, str | Path) and Path(given).suffix == ".keras":
            model, name = converter.load(given), Path(given).stem
        elif isinstance(given, str | Path | Model):
            file = given if isinstance(given, Model) else converter.read(given)
            model, name = converter.convert(file), file.name
        else:
            model, name = given, given.name
        taken = [tuple(x.shape[1:]) for x in getattr(model, "inputs", None) or ()]
        shapes = [tuple(x.shape[1:]) for x in getattr(model, "outputs", None) or ()]
        if len(taken) != 1:
            raise BadDetector(f"{name} takes {len(taken)} inputs; a detector takes one picture")
        found = detectors.for_shapes(taken[0], shapes) if detector is None else _resized(detector, taken[0])
        check_outputs(shapes, found)
        return cls(name, model, found, file)

    @cached_property
    def make_run(self) -> Callable[[], Run]:
        """Makes a runner, one for each thread."""
        return litert_runner(self.model, self.file)

    def fingerprint(self) -> int:
        """Of all its weights."""
        if self.file:
            return crc32(self.file.data)
        found = 0
        for value in self.model.get_weights():
            found = crc32(value.tobytes(), found)
        return found


def _resized(detector: Detector, taken: tuple[int | None, ...]) -> Detector:
    """A detector at the size of a model's input, where that has one."""
    height, width = taken[:2] if len(taken) == 3 else (None, None)
    return replace(detector, height=height, width=width) if height and width else detector


def litert_runner(model: Any, file: Model | None = None) -> Callable[[], Run]:
    """Makes runners of a Keras model, one for each thread: in LiteRT, or in Keras where a layer is known there alone.

    Args:
        model: A `keras.Model`.
        file: The same as a file, if there is one.
    """
    try:
        data = bytes(file.data) if file else write(None, model)
        LiteRT(data, "xnnpack")
    except UnliteError:
        return lambda: keras_runner(model)
    return lambda: LiteRT(data, "xnnpack").run
