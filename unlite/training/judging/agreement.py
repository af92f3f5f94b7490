"""How much of what one detector finds another one finds again."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.detectors.table import Detector
from parity.runners.runtimes import Run
from unlite.detection.images import load_picture
from unlite.detection.pipeline import Detections, detect, intersection_over_union
from unlite.training.lessons.features import in_threads

SAME = 0.5  # intersection over union from which on two boxes of one class are about one object


@dataclass(frozen=True, slots=True)
class Agreement:
    """Detections of two detectors in the same pictures, each at its own least score.

    Attributes:
        expected: How many the first has.
        found: How many of them the other has as well.
        more: How many the other has beside them.
    """

    expected: int
    found: int
    more: int

    @property
    def share(self) -> float:
        """Of what is expected; 1 if nothing is."""
        return self.found / self.expected if self.expected else 1.0

    def __str__(self) -> str:
        return f"{self.found} of {self.expected} found again ({self.share:.1%}), {self.more} more"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"share": self.share}


def find_all(
    make_run: Callable[[], Run],
    detector: Detector,
    paths: Sequence[Path],
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Detections]:
    """What a detector finds in pictures.

    Args:
        make_run: Makes a runner of it, one for each thread.
        detector: What its tensors mean.
        paths: The pictures.
        progress: Called with pictures done, and all.
    """

    def one(path: Path, run: Run) -> Detections:
        return detect(run, detector, load_picture(path)).final

    made = []
    for number, (_, found) in enumerate(in_threads(one, paths, make_run), start=1):
        made.append(found)
        progress(number, len(paths))
    return made


def agree(expected: Sequence[Detections], found: Sequence[Detections]) -> Agreement:
    """Compare what was found, picture by picture; the best first, each with the nearest that is left."""
    common = sum(_common(one, other) for one, other in zip(expected, found, strict=True))
    return Agreement(sum(map(len, expected)), common, sum(map(len, found)) - common)


def _common(expected: Detections, found: Detections) -> int:
    left, count = list(range(len(found))), 0
    for row, box in enumerate(expected.corners()):
        same = [place for place in left if found.classes[place] == expected.classes[row]]
        overlaps = intersection_over_union(box, found.corners()[same])
        if overlaps.max(initial=0) >= SAME:
            left.remove(same[int(overlaps.argmax())])
            count += 1
    return count
