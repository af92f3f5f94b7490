"""Tables of overrides: which tensor of the file belongs to which Keras variable, said by hand, with a reason.

Example::

    [[override]]
    tensor = "regressor_16/Kernel"
    variable = "conv2d_43/kernel"
    why = "the heads are numbered in build order here"

A row pairs two layers, so a kernel's row brings its bias along.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.errors import BadOverride
from converter.ops.forms.layouts import LAYOUT_NAMES

REQUIRED, OPTIONAL = ("tensor", "variable", "why"), ("layout",)
_HEADER = re.compile(r"^\s*\[\[\s*override\s*\]\]")


@dataclass(frozen=True, slots=True)
class Override:
    """One row.

    Attributes:
        tensor: Name of a constant in the file.
        variable: Path of a Keras variable, e.g. `conv2d_43/kernel`.
        why: Why the names do not say so.
        layout: Name of the layout, where it is not the one that the operator has.
        place: File, line and number of the row, for messages.
    """

    tensor: str
    variable: str
    why: str
    layout: str | None = None
    place: str = "override"

    def error(self, problem: str, hint: str = "") -> BadOverride:
        """An error about this row, to be raised."""
        return BadOverride(f"{self.place} ({self.tensor!r} → {self.variable!r}) {problem}", hint)


def read_overrides(path: Path) -> tuple[Override, ...]:
    """Read a table.

    Raises:
        BadOverride: The file cannot be read, or a row lacks something; the message says which line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadOverride(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadOverride(f"{path} is not valid TOML: {error}") from None
    rows = table.pop("override", [])
    if table or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadOverride(
            f"{path}: expected [[override]] tables only, found {', '.join(table) or 'another value'}",
            hint="`unlite transfer --write-overrides FILE` writes a table to start from",
        )
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if _HEADER.match(line)]
    lines += [1] * (len(rows) - len(lines))  # rows written inline
    return tuple(
        _row(row, f"{path}:{line}: row {number}")
        for number, (row, line) in enumerate(zip(rows, lines, strict=False), start=1)
    )


def _row(row: dict[str, object], place: str) -> Override:
    unknown = sorted(set(row) - {*REQUIRED, *OPTIONAL})
    missing = [key for key in REQUIRED if not (isinstance(row.get(key), str) and str(row[key]).strip())]
    if unknown:
        raise BadOverride(
            f"{place} has an unknown key: {', '.join(unknown)}", f"known: {', '.join(REQUIRED + OPTIONAL)}"
        )
    if missing:
        raise BadOverride(f"{place} lacks {' and '.join(missing)}: {row}", "every row says tensor, variable and why")
    layout = row.get("layout")
    if layout is not None and layout not in LAYOUT_NAMES:
        raise BadOverride(f"{place} has an unknown layout {layout!r}", f"known: {', '.join(LAYOUT_NAMES)}")
    return Override(str(row["tensor"]), str(row["variable"]), str(row["why"]), str(layout) if layout else None, place)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A tensor that nobody reads, or a variable that nobody feeds.

    Attributes:
        name: The tensor's name, or the variable's path.
        layer: The layer that it belongs to.
        shape: As its own side has it.
        keras_shape: As a node of the canonical network has it, which both sides have in common.
        nearest: Candidates on the other side, best first.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    keras_shape: tuple[int, ...]
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        nearest = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        return f"{self.name} {self.shape}{nearest}"


def starter_table(rows: Sequence[Leftover]) -> str:
    """A table to be filled in by hand: one row per layer without a partner, by its first tensor, with what fits.

    A row is filled in where just one variable fits, and no other row.
    """
    blocks = ["# One row per layer: a kernel's row brings its bias along. Fill in `variable` and `why`.\n"]
    claims = Counter(candidate for row in rows for candidate in row.nearest)
    for row in rows:
        fitting = "".join(f"#   {candidate}\n" for candidate in row.nearest) or "#   none of this shape is free\n"
        is_sure = len(row.nearest) == 1 and claims[row.nearest[0]] == 1
        variable, why = (row.nearest[0], "the only free variable of this shape") if is_sure else ("", "")
        blocks.append(
            f"# {'×'.join(map(str, row.shape))}; variables that fit:\n{fitting}"
            f"[[override]]\ntensor = {_quoted(row.name)}\nvariable = {_quoted(variable)}\nwhy = {_quoted(why)}\n"
        )
    return "\n".join(blocks)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
