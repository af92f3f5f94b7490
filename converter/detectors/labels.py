"""What a detector's classes are called: kept in the `.keras` archive and in the `.tflite` file, and read from both."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from converter.errors import BadDetector, ModelNotFound
from converter.files import SUFFIX
from converter.tflite import metadata
from converter.tflite.flatbuffer import Fields
from converter.tflite.model import Model
from converter.tflite.reader import read

# Where a `.keras` archive has them: Keras reads nothing from this member, and a member more would make it unpack all.
MEMBER, KEY = "metadata.json", "labels"
# What a `.tflite` file's standard metadata has no place for.
EXTRA = "UNLITE_LABELS"
# A Keras model's attribute.
ATTRIBUTE = "labels"


@dataclass(frozen=True, slots=True)
class Labels:
    """Names of a model's classes, and what else somebody needs who uses it.

    Attributes:
        names: In the order of the classes.
        threshold: What scores less is better dropped; None: nobody has said.
        detector: Name of the detector whose tensors the model has, or whose regions it takes.
        original: Name of the file that it was made from.

    Raises:
        BadDetector: A name is empty or has several lines, or the threshold is no score.
    """

    names: tuple[str, ...]
    threshold: float | None = None
    detector: str = ""
    original: str = ""

    def __post_init__(self) -> None:
        if not self.names:
            raise BadDetector("labels without a name", hint="one name per class")
        for number, name in enumerate(self.names):
            if not isinstance(name, str) or not name or name.splitlines() != [name.strip()]:
                raise BadDetector(f"class {number} is called {name!r}: expected one line of text")
        check_score("threshold", self.threshold)

    def check(self, classes: int, what: str) -> None:
        """Check that they are about so many classes.

        Raises:
            BadDetector: They are not.
        """
        if len(self.names) != classes:
            raise BadDetector(f"{what} has {classes} classes, but {len(self.names)} labels: {', '.join(self.names)}")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"names": list(self.names)}


def check_score(name: str, value: Any) -> None:
    """Check that a setting is a score, or None.

    Raises:
        BadDetector: It is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value <= 1):  # so written, NaN is none
        raise BadDetector(f"{name} {value} is no score", hint="from 0 to 1")


def read_labels(path: str | PathLike[str]) -> Labels | None:
    """The labels of a `.keras` or `.tflite` file; None where it has none.

    Raises:
        ModelNotFound: There is no such file.
        MalformedModel: It is no such file.
        BadDetector: They make no sense.
    """
    path = Path(path)
    return _in_archive(path) if path.suffix == SUFFIX else labels_in(read(path))


def labels_of(model: Any) -> Labels | None:
    """What a `keras.Model` has been given as its labels: its attribute `labels`."""
    labels = getattr(model, ATTRIBUTE, None)
    return labels if isinstance(labels, Labels) else None


def labels_in(model: Model) -> Labels | None:
    """The labels of a `.tflite` file, from its metadata: whoever wrote it."""
    root = metadata.read_metadata(model) or {}
    graphs: list[Fields] = root.get("subgraph_metadata") or []
    for output in (output for graph in graphs[:1] for output in graph["output_tensor_metadata"] or []):
        for file in output["associated_files"] or []:
            is_labels = file["type"] in (metadata.AXIS_LABELS, metadata.VALUE_LABELS)
            content = metadata.appended(model, file["name"] or "") if is_labels else None
            if content:
                return _lenient(content.decode("utf-8", "replace").splitlines(), output, model)
    return None


def own_labels(model: Model) -> Labels | None:
    """As `labels_in`, of a file that was given them here: their number is that of the classes.

    MediaPipe's files have labels, too: `palm` for the one class, `Left` and `Right` for a single number.
    """
    return labels_in(model) if EXTRA in model.metadata else None


def _lenient(names: list[str], output: Fields, model: Model) -> Labels | None:
    try:
        return Labels(tuple(names), _threshold(output), **_extra(model))
    except BadDetector:  # another tool's file, which runs all the same
        return None


def _threshold(output: Fields) -> float | None:
    for unit in output["process_units"] or []:
        options = unit["options"] or {}
        if options.get("") == "ScoreThresholdingOptions":
            return float(f"{options['global_score_threshold']:.7g}")  # 0.42, not what float32 makes of it
    return None


def _extra(model: Model) -> dict[str, str]:
    try:
        stored = json.loads(bytes(model.metadata.get(EXTRA, b"{}")))
    except ValueError:
        return {}
    stored = stored if isinstance(stored, dict) else {}
    return {name: str(stored[name]) for name in ("detector", "original") if name in stored}


def _in_archive(path: Path) -> Labels | None:
    try:
        with ZipFile(path) as archive:
            stored = json.loads(archive.read(MEMBER)).get(KEY)
    except FileNotFoundError:
        raise ModelNotFound(f"no such file: {path}") from None
    except (BadZipFile, KeyError, OSError, ValueError, AttributeError):
        return None  # no archive of Keras's: loading it says why
    return _parsed(stored, path) if stored is not None else None


def _parsed(stored: Any, path: Path) -> Labels:
    known = {field.name for field in fields(Labels)}
    names = stored.get("names") if isinstance(stored, Mapping) else None
    if not isinstance(names, list):
        raise BadDetector(f"the labels of {path} are no list of names")
    given = {name: value for name, value in stored.items() if name in known}
    return Labels(**given | {"names": tuple(names)})


def put_into_archive(path: Path, labels: Labels) -> None:
    """Add labels to a `.keras` archive that Keras has just written."""
    whole = path.with_name(f"labelled-{path.name}")
    with ZipFile(path) as archive, ZipFile(whole, "w") as made:
        for entry in archive.infolist():
            content = archive.read(entry)
            if entry.filename == MEMBER:
                content = json.dumps(json.loads(content) | {KEY: labels.as_dict()}).encode()
            made.writestr(entry, content)
    whole.replace(path)
