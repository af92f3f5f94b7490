"""Labels in `.keras` archives and `.tflite` files, whoever wrote them."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import converter
from converter.detectors.labels import Labels, labels_in, labels_of, own_labels, put_into_archive, read_labels
from converter.errors import BadDetector, ModelNotFound
from converter.tflite import metadata
from converter.tflite.edit import Editable
from converter.write.labels import with_labels
from converter.write.writer import write
from fixtures.builder import Builder
from tests.tools import models
from tests.tools.lazy import keras, layers

LABELS = Labels(("fist", "palm"), 0.42, "palm", "gestures")


@pytest.fixture
def model() -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2)(inputs))


def two_classes() -> bytes:
    b = Builder()
    return b.build(b.op("RELU", [b.input((1, 2))], [(1, 2)]))


def labelled_elsewhere(content: bytes, files: dict[str, bytes]) -> bytes:
    """A file with this as its metadata, and these files behind it."""
    file = Editable(memoryview(two_classes()))
    entry, buffer = file.schema.MetadataT(), file.schema.BufferT()
    entry.name, entry.buffer = metadata.NAME.encode(), len(file.model.buffers)
    buffer.data = np.frombuffer(content, np.uint8)
    file.model.buffers.append(buffer)
    file.model.metadata = [entry]
    return metadata.append(file.pack(), files) if files else file.pack()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ()}, "labels without a name"),
        ({"names": ("a", "")}, "class 1 is called ''"),
        ({"names": (" a",)}, "expected one line of text"),
        ({"names": ("a\nb",)}, "expected one line of text"),
        ({"names": (3,)}, "class 0 is called 3"),
        ({"names": ("a",), "threshold": 1.5}, "threshold 1.5 is no score"),
        ({"names": ("a",), "threshold": float("nan")}, "threshold nan is no score"),
        ({"names": ("a",), "threshold": True}, "threshold True is no score"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(BadDetector, match=message):
        Labels(**settings)


def test_they_travel_from_model_to_archive_and_back(model: Any, tmp_path: Path) -> None:
    converter.save(model, tmp_path / "a.keras", LABELS)
    loaded = converter.load(tmp_path / "a.keras")
    assert labels_of(loaded) == read_labels(tmp_path / "a.keras") == LABELS
    converter.save(loaded, tmp_path / "b.keras")
    assert read_labels(tmp_path / "b.keras") == LABELS
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_keras_alone_loads_the_archive_and_forgets_them(model: Any, tmp_path: Path) -> None:
    converter.save(model, tmp_path / "a.keras", LABELS)
    with ZipFile(tmp_path / "a.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert "keras_version" in json.loads(archive.read("metadata.json"))
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    loaded.save(tmp_path / "b.keras")
    assert read_labels(tmp_path / "b.keras") is None
    assert labels_of(converter.load(tmp_path / "b.keras")) is None


def test_no_half_labelled_archive_is_left(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, labels: Labels) -> None:
        put_into_archive(path, labels)
        raise OSError("no space left")

    monkeypatch.setattr("converter.rebuild.saving.put_into_archive", fails)
    with pytest.raises(converter.UnliteError, match="no space left"):
        converter.save(model, tmp_path / "a.keras", LABELS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stored", [["fist"], {"threshold": 0.5}, {"names": "fist"}])
def test_archive_with_other_labels_is_refused(model: Any, tmp_path: Path, stored: Any) -> None:
    model.save(tmp_path / "a.keras")
    with ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"labels": stored}))
    with pytest.raises(BadDetector, match=r"the labels of .*b.keras are no list of names"):
        read_labels(tmp_path / "b.keras")


def test_what_is_no_archive_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.keras").write_text("none")
    assert read_labels(tmp_path / "a.keras") is None
    for name in ("none.keras", "none.tflite"):
        with pytest.raises(ModelNotFound, match="no such file"):
            read_labels(tmp_path / name)


def test_model_that_is_converted_has_those_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(with_labels(two_classes(), LABELS))
    assert read_labels(tmp_path / "a.tflite") == labels_of(converter.convert(tmp_path / "a.tflite")) == LABELS


def output(kind: int, name: str = "categories.txt") -> dict[str, Any]:
    return {"name": "score", "associated_files": [{"name": name, "type": kind}]}


def root(*outputs: dict[str, Any]) -> bytes:
    return metadata.pack_metadata({"subgraph_metadata": [{"output_tensor_metadata": list(outputs)}]})


@pytest.mark.parametrize("kind", [metadata.AXIS_LABELS, metadata.VALUE_LABELS])
def test_labels_of_another_tool_are_read(kind: int, tmp_path: Path) -> None:
    data = labelled_elsewhere(root({"name": "location"}, output(kind)), {"categories.txt": b"cat\r\ndog\r\n"})
    (tmp_path / "a.tflite").write_bytes(data)
    assert read_labels(tmp_path / "a.tflite") == Labels(("cat", "dog"))


@pytest.mark.parametrize(
    ("content", "files"),
    [
        (b"", {}),
        (b"\xff" * 40, {"categories.txt": b"cat\n"}),
        (root(), {"categories.txt": b"cat\n"}),
        (root(output(1)), {"categories.txt": b"cat\n"}),
        (root(output(2)), {}),
        (root(output(2)), {"other.txt": b"cat\n"}),
        (root(output(2)), {"categories.txt": b""}),
        (root(output(2)), {"categories.txt": b"cat\n\n"}),
        (root(output(2)), {"categories.txt": b"x\n" * metadata.LARGEST}),
    ],
    ids=["empty", "broken", "no output", "other kind", "no archive", "other file", "no name", "empty name", "huge"],
)
def test_metadata_that_says_nothing_does_no_harm(content: bytes, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(labelled_elsewhere(content, files))
    assert read_labels(tmp_path / "a.tflite") is None


def test_makers_labels_are_told_and_not_taken_for_classes() -> None:
    hands = models.original("hand_landmark_full")
    assert labels_in(hands) == Labels(("Left", "Right"))
    assert own_labels(hands) is None
    assert labels_of(models.shared("hand_landmark_full")) is None
    write(hands, models.shared("hand_landmark_full"), "float32")  # it gives no two classes, and need not
