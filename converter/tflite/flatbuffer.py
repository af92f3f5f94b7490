"""Read flatbuffer tables, bounds-checked, driven by `schema.json`.

The `flatbuffers` library's own reader checks nothing and costs an import of numpy, which alone is more than
`unlite inspect` may take. Wire format: https://flatbuffers.dev/internals/ (little-endian throughout).
"""

import json
import struct
from functools import cache
from importlib import resources
from typing import Any

from converter.errors import MalformedModel

Fields = dict[str, Any]
# As in `schema.json`: `tables` (field → slot, kind, default), `unions` and `enums` (member → value).
Schema = dict[str, dict[str, dict[str, Any]]]
_INTEGERS = {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I"}
_SCALARS = _INTEGERS | {"int64": "q", "uint64": "Q", "float32": "f", "float64": "d", "bool": "?"}
_STRUCTS = {kind: struct.Struct(f"<{code}") for kind, code in _SCALARS.items()}
_U16, _I32, _U32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")


@cache
def schema() -> Schema:
    """The TFLite schema: `tables`, `unions` and `enums` (made by `fixtures/derive_schema.py`)."""
    text = resources.files("converter.tflite").joinpath("schema.json").read_text()
    return json.loads(text)  # type: ignore[no-any-return]


@cache
def enum_names(enum: str) -> dict[int, str]:
    """The members of an enum or union: value → name."""
    names = schema()["enums"].get(enum) or schema()["unions"][enum]
    return {value: name for name, value in names.items()}


class FlatBuffer:
    """Tables of one buffer, decoded into plain dictionaries.

    Vectors of numbers come back as views on the buffer, nothing large is copied.

    Args:
        data: The buffer.
        described: Another schema than TFLite's.
    """

    def __init__(self, data: memoryview, described: Schema | None = None) -> None:
        self.data = data
        chosen = described or schema()
        self._tables = chosen["tables"]
        self._unions = {
            f"union:{union}": {value: name for name, value in members.items()}
            for union, members in chosen["unions"].items()
        }

    def root(self, table: str) -> Fields:
        """Decode the root table and everything that it refers to.

        Args:
            table: Name of the root table in the schema.

        Raises:
            MalformedModel: An offset, length or type points outside the buffer or the schema.
        """
        return self.table(self._indirect(0), table)

    def table(self, position: int, name: str) -> Fields:
        """Decode the table at `position`; fields that the file leaves out get the schema's default."""
        vtable = position - self._number(_I32, position)
        size = self._number(_U16, vtable)
        if size < 4 or size % 2:
            raise MalformedModel(f"{name} at byte {position} has a broken field table")
        self._check(vtable, size)
        slots = struct.unpack_from(f"<{size // 2 - 2}H", self.data, vtable + 4)
        fields: Fields = {}
        for field, (slot, kind, *default) in self._tables[name].items():
            offset = slots[slot] if slot < len(slots) else 0
            if offset:
                fields[field] = self._value(kind, position + offset, position, slots, slot)
            else:
                fields[field] = default[0] if default else None
        return fields

    def _value(self, kind: str, at: int, position: int, slots: tuple[int, ...], slot: int) -> Any:
        if kind in _STRUCTS:
            return self._number(_STRUCTS[kind], at)
        if kind.startswith("["):
            return self._vector(kind[1:-1], self._indirect(at))
        if kind.startswith("union:"):
            # The schema's rule: the slot before a union holds its type.
            type_offset = slots[slot - 1]
            member = self._number(_STRUCTS["uint8"], position + type_offset) if type_offset else 0
            table = self._unions[kind].get(member)
            return {"": table} | self.table(self._indirect(at), table) if table in self._tables else None
        return self._target(kind, self._indirect(at))

    def _target(self, kind: str, at: int) -> Any:
        return self._string(at) if kind == "string" else self.table(at, kind.removeprefix("table:"))

    def _vector(self, kind: str, at: int) -> Any:
        length = self._number(_U32, at)
        start = at + 4
        if kind in _SCALARS:
            size = length * _STRUCTS[kind].size
            self._check(start, size)
            return self.data[start : start + size].cast(_SCALARS[kind])  # type: ignore[call-overload]
        self._check(start, 4 * length)
        return [self._target(kind, self._indirect(start + 4 * i)) for i in range(length)]

    def _string(self, at: int) -> str:
        length = self._number(_U32, at)
        self._check(at + 4, length)
        # Names are for people: one that is not UTF-8 must not make a model unreadable.
        return bytes(self.data[at + 4 : at + 4 + length]).decode("utf-8", "replace")

    def _indirect(self, at: int) -> int:
        return at + int(self._number(_U32, at))

    def _number(self, kind: struct.Struct, at: int) -> Any:
        self._check(at, kind.size)
        return kind.unpack_from(self.data, at)[0]

    def _check(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self.data):
            raise MalformedModel(
                f"the file ends at byte {len(self.data)}, but {size} bytes at {at} are referred to",
                hint="the file is cut off or damaged: fetch it again",
            )
