"""TFLite metadata: what is written is what is read."""

import flatbuffers
import pytest

from converter.tflite.flatbuffer import FlatBuffer
from converter.tflite.metadata import IDENTIFIER, SCHEMA, pack_metadata

OUTPUT = {
    "name": "score",
    "description": "é",
    "content": {"content_properties": {"": "ImageProperties", "color_space": 1}},
    "process_units": [
        {"options": {"": "NormalizationOptions", "mean": [127.5, 0.0], "std": [1.0, 2.0]}},
        {"options": {"": "ScoreThresholdingOptions", "global_score_threshold": 0.25}},
    ],
    "associated_files": [{"name": "labels.txt", "description": "", "type": 2}],
}
ROOT = {
    "name": "a",
    "description": "b",
    "subgraph_metadata": [{"input_tensor_metadata": [], "output_tensor_metadata": [OUTPUT]}],
    "min_parser_version": "1.0.0",
}


def plain(value: object) -> object:
    """Views as lists, without what is left out."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, (list, memoryview)) else value


def test_there_and_back() -> None:
    data = pack_metadata(ROOT)
    assert flatbuffers.util.BufferHasIdentifier(data, 0, IDENTIFIER)
    assert plain(FlatBuffer(memoryview(data), SCHEMA).root("ModelMetadata")) == ROOT


def test_defaults_are_those_of_the_schema() -> None:
    data = pack_metadata({"subgraph_metadata": [{"output_tensor_metadata": [{"associated_files": [{}]}]}]})
    (graph,) = FlatBuffer(memoryview(data), SCHEMA).root("ModelMetadata")["subgraph_metadata"]
    (file,) = graph["output_tensor_metadata"][0]["associated_files"]
    assert file == {"name": None, "description": None, "type": 0}


def test_field_that_the_schema_lacks_cannot_be_written() -> None:
    with pytest.raises(KeyError, match="licence"):
        pack_metadata({"licence": "none"})
