"""JSON whose parts know their line.

Python's decoder says where an error is, but not where a value was. Here it is called value by value, for two levels, so
that what is wrong with a record can be said with its line, at the speed of the decoder that is written in C.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from unlite.training.data.said import Broken, Record, text_of

SPACE = re.compile(r"[ \t\n\r]*")
DECODER = json.JSONDecoder()


def members(file: Path) -> Iterator[tuple[str, Record]]:
    """The members of an object, with those of its lists one by one under the list's name.

    Raises:
        Broken: It is no JSON, or no object; names the line.
    """
    cursor = _Cursor(file)
    if cursor.ahead() != "{":
        raise Broken("is not an object of JSON")
    for _ in cursor.each("{}"):
        name = str(cursor.take().value)
        cursor.expect(":")
        if cursor.ahead() != "[":
            yield name, cursor.take()
            continue
        for _ in cursor.each("[]"):
            yield name, cursor.take()


def elements(file: Path) -> Iterator[Record]:
    """The elements of a list, or the one value that is none.

    Raises:
        Broken: It is no JSON; names the line.
    """
    cursor = _Cursor(file)
    if cursor.ahead() != "[":
        yield cursor.take()
        return
    for _ in cursor.each("[]"):
        yield cursor.take()


class _Cursor:
    """A place in a file, and its line."""

    def __init__(self, file: Path) -> None:
        self._file, self._text = file, text_of(file)
        self._at, self._line = 0, 1

    def ahead(self) -> str:
        """The next character that is not space; empty: the end."""
        found = SPACE.match(self._text, self._at)
        self._move(found.end() if found else self._at)
        return self._text[self._at : self._at + 1]

    def take(self) -> Record:
        """The next value."""
        self.ahead()
        line = self._line
        try:
            value, end = DECODER.raw_decode(self._text, self._at)
        except (json.JSONDecodeError, RecursionError) as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise Broken(f"is no JSON: {getattr(error, 'msg', error)}", where) from None
        self._move(end)
        return Record(self._file, line, value)

    def expect(self, characters: str) -> str:
        """Step over one of these."""
        found = self.ahead()
        if not found or found not in characters:
            raise Broken(f"is no JSON: {' or '.join(characters)} is missing", self._line)
        self._move(self._at + 1)
        return found

    def each(self, brackets: str) -> Iterator[None]:
        """Once in front of each item of a list or object."""
        self.expect(brackets[0])
        if self.ahead() == brackets[1]:
            self.expect(brackets[1])
            return
        while True:
            yield
            if self.expect("," + brackets[1]) != ",":
                return

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to
