"""TFLite metadata: what a file says about itself to people and tools, and the files that are appended to it.

A flatbuffer of its own in the model's buffer `TFLITE_METADATA`; files that it names (labels) are a zip archive behind
the model. Only the fields that are read or written here are in the table.
Source: the published schema (`metadata_schema.fbs` of TFLite Support and MediaPipe, Apache-2.0).
"""

import io
from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from converter.errors import MalformedModel
from converter.tflite.flatbuffer import Fields, FlatBuffer, Schema
from converter.tflite.model import Model

NAME, IDENTIFIER, PARSER = "TFLITE_METADATA", b"M001", "1.0.0"
ALIGNMENT = 4  # of appended files, so that they can be mapped
HEADER = 30  # bytes before the name of an archive's member
LARGEST = 1 << 20  # bytes of an appended file that is read: a label file is small
AXIS_LABELS, VALUE_LABELS = 2, 3  # AssociatedFileType
RGB = 1  # ColorSpaceType
SCHEMA: Schema = {
    "unions": {
        "ContentProperties": {"ImageProperties": 2},
        "ProcessUnitOptions": {"NormalizationOptions": 1, "ScoreThresholdingOptions": 3},
    },
    "tables": {
        "ModelMetadata": {
            "name": [0, "string"],
            "description": [1, "string"],
            "subgraph_metadata": [3, "[table:SubGraphMetadata]"],
            "min_parser_version": [7, "string"],
        },
        "SubGraphMetadata": {
            "input_tensor_metadata": [2, "[table:TensorMetadata]"],
            "output_tensor_metadata": [3, "[table:TensorMetadata]"],
        },
        "TensorMetadata": {
            "name": [0, "string"],
            "description": [1, "string"],
            "content": [3, "table:Content"],
            "process_units": [4, "[table:ProcessUnit]"],
            "associated_files": [6, "[table:AssociatedFile]"],
        },
        "AssociatedFile": {"name": [0, "string"], "description": [1, "string"], "type": [2, "int8", 0]},
        "Content": {"content_properties": [1, "union:ContentProperties"]},
        "ImageProperties": {"color_space": [0, "int8", 0]},
        "ProcessUnit": {"options": [1, "union:ProcessUnitOptions"]},
        "NormalizationOptions": {"mean": [0, "[float32]"], "std": [1, "[float32]"]},
        "ScoreThresholdingOptions": {"global_score_threshold": [0, "float32", 0.0]},
    },
}


def read_metadata(model: Model) -> Fields | None:
    """The metadata's root table; None where there is none, or none that can be read: a model needs none to run."""
    stored = model.metadata.get(NAME)
    try:
        return FlatBuffer(stored, SCHEMA).root("ModelMetadata") if stored else None
    except MalformedModel:
        return None


def appended(model: Model, name: str) -> bytes | None:
    """One of the files behind a model; None where there is no such file, or none that can be read."""
    try:
        with ZipFile(io.BytesIO(model.data)) as archive:
            is_small = archive.getinfo(name).file_size <= LARGEST
            return archive.read(name) if is_small else None
    except (BadZipFile, KeyError, NotImplementedError, OSError, RuntimeError):  # broken, encrypted, …
        return None


def append(data: bytes, files: Mapping[str, bytes]) -> bytes:
    """Put files behind a model, as they are, and aligned."""
    whole = io.BytesIO()
    whole.write(data + bytes(-len(data) % ALIGNMENT))
    with ZipFile(whole, "w") as archive:
        for name, content in files.items():
            entry = ZipInfo(name)  # of 1980, so that the same model is the same file
            entry.extra = bytes(-(whole.tell() + HEADER + len(name.encode())) % ALIGNMENT)
            archive.writestr(entry, content)
    return whole.getvalue()


def pack_metadata(fields: Fields) -> bytes:
    """A root table as `read_metadata` gives it, as a flatbuffer; fields that are left out are left out."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, fields, "ModelMetadata"), IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: Any, fields: Fields, name: str) -> int:
    rows = SCHEMA["tables"][name]
    # What a table refers to has to be written before it.
    targets = {field: _target(builder, rows[field][1], value) for field, value in fields.items() if field}
    builder.StartObject(max((row[0] for row in rows.values()), default=0) + 1)
    for field, target in targets.items():
        slot, kind, *_ = rows[field]
        if kind.startswith("union:"):
            member = SCHEMA["unions"][kind.removeprefix("union:")][fields[field][""]]
            builder.PrependUint8Slot(slot - 1, member, 0)
        if kind in ("int8", "float32"):
            getattr(builder, f"Prepend{kind.title()}Slot")(slot, target, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, target, 0)
    return int(builder.EndObject())


def _target(builder: Any, kind: str, value: Any) -> Any:
    """Where a value has been written; a number stands in the table itself."""
    if kind == "string":
        return builder.CreateString(value)
    if kind.startswith("["):
        is_number = kind == "[float32]"
        parts = list(value) if is_number else [_target(builder, kind[1:-1], part) for part in value]
        builder.StartVector(4, len(parts), 4)
        for part in reversed(parts):
            (builder.PrependFloat32 if is_number else builder.PrependUOffsetTRelative)(part)
        return builder.EndVector()
    if ":" in kind:
        return _table(builder, value, value[""] if kind.startswith("union:") else kind.removeprefix("table:"))
    return value
