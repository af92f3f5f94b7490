"""Files that belong together appear together."""

from pathlib import Path

import pytest

from converter.errors import OutputNotWritten
from converter.files import write_all


def test_all_of_them(tmp_path: Path) -> None:
    write_all({tmp_path / "a": b"first", tmp_path / "b": b"second"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"first", "b": b"second"}


def test_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(OutputNotWritten, match="missing"):
        write_all({tmp_path / "a": b"first", tmp_path / "missing" / "b": b"second"})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]
