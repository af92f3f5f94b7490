"""Read flatbuffer tables, bounds-checked, driven by `schema.json`.

The `flatbuffers` library's own reader checks nothing and costs an import of numpy, which alone is more than
`unlite inspect` may take. Wire format: https://flatbuffers.dev/internals/ (little-endian throughout).
"""

import json
import struct
from collections.abc import Callable
from functools import cache, partial
from importlib import resources
from typing import Any, NamedTuple

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


# Tables between two calls of `forget`.
TOUCHED = 4


class FlatBuffer:
    """Tables of one buffer, decoded into plain dictionaries.

    Vectors of numbers come back as views on the buffer, nothing large is copied.

    Args:
        data: The buffer.
        described: Another schema than TFLite's.
        forget: Called after every few tables: what has been read of the buffer need not stay in memory.
    """

    def __init__(
        self, data: memoryview, described: Schema | None = None, forget: Callable[[], object] | None = None
    ) -> None:
        self.data, self._forget = data, forget
        chosen = described or schema()
        self._tables = chosen["tables"]
        self._unions = {
            f"union:{union}": {value: name for name, value in members.items()}
            for union, members in chosen["unions"].items()
        }
        self._layouts: dict[tuple[int, str], _Layout] = {}

    def root(self, table: str) -> Fields:
        """Decode the root table and everything that it refers to.

        Args:
            table: Name of the root table in the schema.

        Raises:
            MalformedModel: An offset, length or type points outside the buffer or the schema.
        """
        return self.table(table, self._indirect(0))

    def table(self, name: str, position: int) -> Fields:
        """Decode the table at `position`; fields that the file leaves out get the schema's default."""
        vtable = position - self._number(_I32, position)
        layout = self._layouts.get((vtable, name)) or self._layout(vtable, name, position)
        fields = layout.defaults.copy()
        for field, offset, read in layout.stored:
            fields[field] = read(position + offset)
        return fields

    def _layout(self, vtable: int, name: str, position: int) -> "_Layout":
        self._check(vtable, _U16.size)
        size = self._number(_U16, vtable)
        if size < 4 or size % 2:
            raise MalformedModel(f"{name} at byte {position} has a broken field table")
        self._check(vtable, size)
        slots = struct.unpack_from(f"<{size // 2 - 2}H", self.data, vtable + 4)
        defaults, stored = {}, []
        for field, (slot, kind, *default) in self._tables[name].items():
            defaults[field] = default[0] if default else None
            if slot < len(slots) and slots[slot]:
                # The schema's rule: the slot before a union holds its type.
                reader = self._reader(kind, slots[slot], slots[slot - 1])
                stored.append((field, slots[slot], reader))
        return self._layouts.setdefault((vtable, name), _Layout(defaults, tuple(stored)))

    def _reader(self, kind: str, offset: int, type_offset: int) -> "_Reader":
        """What decodes a field of this kind, given where it is."""
        if kind in _STRUCTS:
            return partial(self._number, _STRUCTS[kind])
        if kind.startswith("union:"):
            return partial(self._union, self._unions[kind], type_offset - offset) if type_offset else _nothing
        is_vector, kind = kind.startswith("["), kind.strip("[]")
        if kind in _SCALARS:
            return partial(self._numbers, kind)
        target = self._string if kind == "string" else partial(self.table, kind.removeprefix("table:"))
        return partial(self._vector if is_vector else self._target, target)

    def _union(self, members: dict[int, str], to_type: int, at: int) -> Fields | None:
        table = members.get(self._number(_STRUCTS["uint8"], at + to_type), "")
        return {"": table} | self.table(table, self._indirect(at)) if table in self._tables else None

    def _target(self, read: "_Reader", at: int) -> Any:
        return read(self._indirect(at))

    def _vector(self, read: "_Reader", at: int) -> list[Any]:
        at = self._indirect(at)
        length = self._number(_U32, at)
        self._check(at + 4, 4 * length)
        places = struct.unpack_from(f"<{length}I", self.data, at + 4)
        made = []
        for number, place in enumerate(places):
            made.append(read(at + 4 + 4 * number + place))
            if self._forget and number % TOUCHED == 0:
                self._forget()
        return made

    def _numbers(self, kind: str, at: int) -> memoryview:
        at = self._indirect(at)
        size = self._number(_U32, at) * _STRUCTS[kind].size
        self._check(at + 4, size)
        return self.data[at + 4 : at + 4 + size].cast(_SCALARS[kind])  # type: ignore[call-overload,no-any-return]

    def _string(self, at: int) -> str:
        length = self._number(_U32, at)
        self._check(at + 4, length)
        # Names are for people: one that is not UTF-8 must not make a model unreadable.
        return str(self.data[at + 4 : at + 4 + length], "utf-8", "replace")

    def _indirect(self, at: int) -> int:
        return at + int(self._number(_U32, at))

    def _number(self, kind: struct.Struct, at: int) -> Any:
        try:
            return kind.unpack_from(self.data, at)[0]
        except struct.error:  # checking beforehand takes longer than reading
            self._check(at, kind.size)
            raise

    def _check(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self.data):
            raise MalformedModel(
                f"the file ends at byte {len(self.data)}, but {size} bytes at {at} are referred to",
                hint="the file is cut off or damaged: fetch it again",
            )


# Decodes one field, given where it is.
_Reader = Callable[[int], Any]


class _Layout(NamedTuple):
    """Which fields the tables with one field table have: in a file of thousands of tables there are a few dozen.

    Attributes:
        defaults: All fields of the schema.
        stored: Name, offset from the table's position, and what decodes it, of those that the file has.
    """

    defaults: Fields
    stored: tuple[tuple[str, int, _Reader], ...]


def _nothing(_: int) -> None:
    """A union without a type."""
