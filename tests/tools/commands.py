"""Run `unlite`, in this process or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unlite.commands.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def output(
    capsys: pytest.CaptureFixture[str], *arguments: str, says: str | Sequence[str] = (), exit_code: int = 0
) -> str:
    """What a command prints that ends with this exit code and says all of this."""
    code, out, err = run(capsys, *arguments)
    assert code == exit_code, err
    for part in [says] if isinstance(says, str) else says:
        assert part in out
    return out


def document(capsys: pytest.CaptureFixture[str], *arguments: str, exit_code: int = 0) -> Any:
    """The JSON that a command prints."""
    return json.loads(output(capsys, *arguments, "--json", exit_code=exit_code))


def check_refused(capsys: pytest.CaptureFixture[str], *arguments: str, message: str, exit_code: int = 2) -> None:
    """Raise unless a command ends in this message alone, with nothing in the working folder touched."""
    before = _files()
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (exit_code, "")
    assert message in err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert _files() == before


def _files() -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path.cwd().iterdir() if path.name != "__pycache__"}


def left_behind() -> set[str]:
    """What a command has written into the working folder."""
    return _files().keys() - {"file.tflite", "mine.py"}


def process(*arguments: str, code: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """One command, or other code, in a process of its own."""
    command = [sys.executable, *(("-c", code) if code else ("-m", "unlite")), *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
