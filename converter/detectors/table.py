"""What a single-shot detector's tensors mean: the settings of MediaPipe's graphs, and tables of one's own.

Source: MediaPipe's published graphs and calculators (`SsdAnchorsCalculator`, `TensorsToDetectionsCalculator`),
Apache-2.0.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import BadDetector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector.

    Attributes:
        name: In words.
        height: Of the input in pixels.
        width: As `height`.
        strides: Pixels per cell, layer by layer; equal neighbours share a feature map.
        interpolated_ratio: If positive, each layer has a second anchor per cell.
        min_score: What scores less is dropped.
        keypoints: Their names; each has an x and a y after the box.
        range: What black and white become.
        min_suppression_threshold: Boxes of a larger intersection over union are one detection.
    """

    name: str
    height: int
    width: int
    strides: tuple[int, ...]
    interpolated_ratio: float
    min_score: float
    keypoints: tuple[str, ...] = ()
    range: tuple[float, float] = (0.0, 1.0)
    min_suppression_threshold: float = 0.3

    @property
    def coordinates(self) -> int:
        """Values per anchor (x, y, width, height, and two per keypoint)."""
        return 4 + 2 * len(self.keypoints)

    @property
    def grids(self) -> tuple[tuple[int, int, int], ...]:
        """(rows, columns, anchors per cell) of each feature map, in the order of the output."""
        per_layer = 2 if self.interpolated_ratio > 0 else 1
        return tuple(
            (-(-self.height // stride), -(-self.width // stride), per_layer * len(list(layers)))
            for stride, layers in groupby(self.strides)
        )

    @property
    def boxes(self) -> int:
        """Number of anchors."""
        return sum(rows * columns * count for rows, columns, count in self.grids)


@cache
def known() -> tuple[Detector, ...]:
    """MediaPipe's detectors."""
    text = resources.files("converter.detectors").joinpath("detectors.toml").read_text(encoding="utf-8")
    return tuple(_parse(text, "detectors.toml"))


def anchors(detector: Detector) -> "NDArray[np.float32]":
    """Centres of the anchors as shares of the input, [N, 2] (x, y); their width and height are 1.

    Read-only: the same array for whoever asks.
    """
    return _anchors(detector.grids)


@cache
def _anchors(grids: tuple[tuple[int, int, int], ...]) -> "NDArray[np.float32]":
    import numpy as np

    made = []
    for rows, columns, count in grids:
        y, x = (((np.arange(n) + 0.5) / n).astype(np.float32) for n in (rows, columns))
        centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        made.append(np.repeat(centres, count, axis=0))
    all_ = np.concatenate(made)
    all_.flags.writeable = False
    return all_


def read_detectors(path: Path) -> tuple[Detector, ...]:
    """Read a table of one's own, in the form of `detectors.toml`.

    Raises:
        BadDetector: The file cannot be read, or a row is wrong; the message says which.
    """
    try:
        return tuple(_parse(path.read_text(encoding="utf-8"), str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise BadDetector(f"cannot read {path}: {error}") from None


def find(name: str) -> Detector:
    """A known detector, or the only one of a file.

    Args:
        name: Name of a known detector, or path of a `.toml` file.

    Raises:
        BadDetector: There is none.
    """
    if name.endswith(".toml"):
        rows = read_detectors(Path(name))
        if len(rows) != 1:
            raise BadDetector(f"{name} has {len(rows)} detectors, expected one [[detector]]")
        return rows[0]
    for detector in known():
        if detector.name == name:
            return detector
    raise BadDetector(f"no detector {name!r}", hint=f"known: {', '.join(d.name for d in known())}; or FILE.toml")


def for_shapes(input_shape: Sequence[int], output_shapes: Sequence[Sequence[int]]) -> Detector:
    """The known detector that has these tensors, if need be at another size of the input.

    Args:
        input_shape: [height, width, channels].
        output_shapes: Of every output, without the batch.

    Raises:
        BadDetector: None has, or several have.
    """
    height, width = input_shape[:2] if len(input_shape) > 1 else (0, 0)
    given = {tuple(shape) for shape in output_shapes}
    resized = [replace(detector, height=height, width=width) for detector in known()]
    for own, other in zip(known(), resized, strict=True):
        if own == other and (own.boxes, own.coordinates) in given:
            return own
    fitting = [detector for detector in resized if (detector.boxes, detector.coordinates) in given]
    if len(fitting) == 1:
        return fitting[0]
    shapes = ", ".join("×".join(map(str, shape)) for shape in output_shapes)
    size = "×".join(map(str, input_shape))
    raise BadDetector(
        f"no known detector takes {size} and gives {shapes}", hint="describe it in a table: detector=find('FILE.toml')"
    )


def _parse(text: str, file: str) -> Iterator[Detector]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadDetector(f"{file} is not valid TOML: {error}") from None
    rows = table.get("detector", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or set(table) - {"detector"}:
        raise BadDetector(f"{file}: expected nothing but [[detector]] tables")
    for number, row in enumerate(rows, start=1):
        yield _detector(row, f"{file}, detector {number}")


def _detector(row: Mapping[str, Any], place: str) -> Detector:
    names = {field.name for field in fields(Detector)}
    needed = {field.name for field in fields(Detector) if field.default is MISSING}
    for problem, wrong in (("does not know", set(row) - names), ("lacks", needed - set(row))):
        if wrong:
            raise BadDetector(f"{place} {problem} {', '.join(sorted(wrong))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    made = Detector(**values)
    for name, is_right in _checks(made).items():
        if not is_right:
            raise BadDetector(f"{place}: {name} = {row[name]!r} makes no sense")
    return made


def _checks(made: Detector) -> dict[str, bool]:
    def numbers(value: Any, count: int | None = None) -> bool:
        is_tuple = isinstance(value, tuple) and len(value) == (count or len(value)) > 0
        return is_tuple and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)

    def count(value: Any) -> bool:
        return isinstance(value, int) and value is not True and 0 < value < 1 << 16

    return {
        "name": isinstance(made.name, str),
        "height": count(made.height),
        "width": count(made.width),
        "strides": isinstance(made.strides, tuple) and bool(made.strides) and all(map(count, made.strides)),
        "interpolated_ratio": numbers((made.interpolated_ratio,)) and made.interpolated_ratio >= 0,
        "min_score": numbers((made.min_score,)) and 0 <= made.min_score <= 1,
        "keypoints": isinstance(made.keypoints, tuple) and all(isinstance(name, str) for name in made.keypoints),
        "range": numbers(made.range, 2) and made.range[0] < made.range[1],
        "min_suppression_threshold": numbers((made.min_suppression_threshold,)) and made.min_suppression_threshold >= 0,
    }
