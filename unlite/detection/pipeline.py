"""From a picture to detections."""

from collections.abc import Sequence
from dataclasses import dataclass

from converter.detectors.letterbox import Padding, letterbox, whole
from converter.detectors.table import Detector
from parity.runners.types import Run
from unlite.detection.decoding import Detections, decode, regressors_and_logits, remove_letterbox, suppress
from unlite.detection.sampling import Floats, Pixels, sample


@dataclass(frozen=True, slots=True)
class Trace:
    """All stages of one picture.

    Attributes:
        tensor: The model's input.
        raw: Its outputs.
        decoded: Shares of the input tensor.
        suppressed: As `decoded`.
        final: Shares of the picture.
    """

    tensor: Floats
    raw: Sequence[Floats]
    decoded: Detections
    suppressed: Detections
    final: Detections


def as_tensor(picture: Pixels, detector: Detector) -> tuple[Floats, Padding]:
    """A picture as a detector takes it, and what was added around it.

    Args:
        picture: RGB [H, W, 3].
        detector: Whose tensor it becomes.
    """
    region, padding = letterbox(whole(*picture.shape[:2]), detector.height, detector.width)
    return sample(picture, region, (detector.height, detector.width), detector.range), padding


def detect(run: Run, detector: Detector, picture: Pixels) -> Trace:
    """Find what the detector finds.

    Args:
        run: The model.
        detector: What its tensors mean.
        picture: RGB [H, W, 3].

    Raises:
        BadDetector: The model's outputs are not those of the detector.
    """
    tensor, padding = as_tensor(picture, detector)
    raw = run([tensor])
    decoded = decode(*regressors_and_logits(raw, detector), detector)
    suppressed = suppress(decoded, detector.min_suppression_threshold)
    return Trace(tensor, raw, decoded, suppressed, remove_letterbox(suppressed, padding))
