"""Labels in a `.tflite` file: standard metadata, and everything else as it was."""

import io
import struct
from dataclasses import replace
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import converter
from converter.detectors.labels import Labels, labels_in
from converter.errors import CannotExport
from converter.tflite import metadata
from converter.write.labels import FILE, normalization, with_labels
from converter.write.quantize import quantize
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT
from tests.tools import models
from tests.tools.files import operators
from tests.tools.labelled import LABELS, detector
from tests.tools.spread import assert_bit_equal

pytestmark = pytest.mark.one_setting
PALM, FACE = "palm_detection_full", "face_detection_short_range"


def outputs(data: bytes) -> list[dict[str, Any]]:
    """What the metadata says of each."""
    root = metadata.read_metadata(converter.read(data))
    assert root
    made: list[dict[str, Any]] = root["subgraph_metadata"][0]["output_tensor_metadata"]
    return made


def test_they_are_written_and_nothing_else_changes() -> None:
    data = bytes(models.original(FACE).data)
    labelled = with_labels(data, Labels(("face",), 0.6, "face short range"))
    old, new = converter.read(data), converter.read(labelled)
    assert labels_in(new) == Labels(("face",), 0.6, "face short range")
    assert operators(new.graph) == operators(old.graph)
    assert [tensor.name for tensor in new.graph.tensors] == [tensor.name for tensor in old.graph.tensors]
    assert (new.signatures, new.version, new.description) == (old.signatures, old.version, old.description)
    inputs = seeded_inputs(old.graph, 1)[0]
    for kernels in ("plain", "xnnpack"):
        assert_bit_equal(LiteRT(labelled, kernels).run(inputs), LiteRT(data, kernels).run(inputs))


def test_the_same_labels_again_are_the_same_bytes() -> None:
    labelled = with_labels(bytes(models.original(FACE).data), Labels(("face",)))
    assert with_labels(labelled, Labels(("face",))) == with_labels(labelled, None) == labelled
    assert labels_in(converter.read(with_labels(labelled, Labels(("visage",))))) == Labels(("visage",))


def test_other_metadata_stays_and_old_labels_go() -> None:
    old = models.original(PALM)
    twice = with_labels(with_labels(bytes(old.data), Labels(("hand",))), Labels(("main",), 0.5))
    kept = set(old.metadata) - {metadata.NAME}
    new = converter.read(twice)
    assert kept < set(new.metadata)
    assert all(bytes(new.metadata[name]) == bytes(old.metadata[name]) for name in kept)
    with ZipFile(io.BytesIO(twice)) as archive:
        assert archive.namelist() == [FILE]
        assert archive.read(FILE) == b"main\n"


def test_label_file_can_be_mapped() -> None:
    for names in (("a",), ("palm", "fist", "three")):
        data = metadata.append(bytes(range(7)), {FILE: "\n".join(names).encode(), "b": b"more"})
        with ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                content = archive.read(entry)
                start = entry.header_offset + 30 + sum(struct.unpack_from("<2H", data, entry.header_offset + 26))
                assert data[start : start + len(content)] == content
                assert start % metadata.ALIGNMENT == 0


@pytest.mark.parametrize(
    ("design", "names"), [("joint", ["location", "score"]), ("gated", ["location", "objectness", "score"])]
)
def test_outputs_have_the_names_that_tools_expect(design: str, names: list[str]) -> None:
    data = write(models.original(PALM), detector(design))
    found = outputs(data)
    assert [output["name"] for output in found] == names
    assert [bool(output["associated_files"]) for output in found] == [name == "score" for name in names]
    assert labels_in(converter.read(data)) == LABELS
    (taken,) = metadata.read_metadata(converter.read(data))["subgraph_metadata"][0]["input_tensor_metadata"]  # type: ignore[index]
    (unit,) = taken["process_units"]
    assert [list(unit["options"][name]) for name in ("mean", "std")] == [[0], [255]]


def test_normalization_brings_bytes_into_the_range() -> None:
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        mean, std = normalization((low, high))
        np.testing.assert_allclose((np.array([0, 255]) - mean) / std, [low, high])


def test_labels_for_other_classes_are_refused() -> None:
    with pytest.raises(CannotExport, match="there are 2 labels, but the model gives 1×896×16, 1×896×1"):
        with_labels(bytes(models.original(FACE).data), Labels(("a", "b")))
    three = write(models.original(PALM), detector("joint"))
    with pytest.raises(CannotExport, match="there are 1 labels"):
        with_labels(three, replace(LABELS, names=("a",)))


@pytest.mark.quantize
def test_int8_keeps_them() -> None:
    data = write(models.original(PALM), detector("joint"), "float32")
    assert labels_in(converter.read(quantize(data, "dynamic").data)) == LABELS
