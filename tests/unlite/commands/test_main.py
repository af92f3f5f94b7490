"""The frame: help, mistakes that any command answers alike, and what stands around all of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.commands import check_refused, process
from unlite.commands.main import VERBS, in_options, main

pytestmark = pytest.mark.one_setting

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "missing.tflite"], "no such file: missing.tflite"),
        (["convert", "missing.tflite"], "no such file: missing.tflite"),
        (["inspect", "."], "cannot read ."),
        (["inspect", "palm_detection_ful"], "did you mean palm_detection_full"),
        (["zoo", "fetch", "palm_detection_ful"], "did you mean palm_detection_full"),
        (["convert", "file.tflite", "-o", "out.h5"], "out.h5 does not end in .keras\nhint: try out.keras"),
        (["convert", "file.tflite", "-o", ""], "does not end in .keras"),
        (["convert", "file.tflite", "-o", "/"], "does not end in .keras"),
        (["convert", "file.tflite", "-o", "none/out.keras"], "the folder none does not exist\nhint: mkdir -p none"),
        (["convert", "file.tflite", "-o", "file.tflite/out.keras"], "does not exist"),
        (["convert", "file.tflite", "-o", "/proc/out.keras"], "/proc/out.keras cannot be written"),
        (["convert", "file.tflite", "-o", "folder.keras"], "folder.keras cannot be written: it is a folder\n"),
        (["demo", "-o", "file.tflite"], "cannot make the folder"),
    ],
    ids=" ".join,
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.keras").mkdir()
    check_refused(capsys, *arguments, message=message)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("dtype='float32' has room for it", "--dtype float32 has room for it"),
        ("dtype='float32' or 'float16' stores it so", "--dtype float32 or float16 stores it so"),
        ("`verify=False` converts without comparing", "`--no-verify` converts without comparing"),
        ("allow_changes=True writes it", "--allow-changes writes it"),
        ("allow_unfed=['end*[12]'] leaves nothing out", "--allow-unfed 'end*[12]' leaves nothing out"),
        ("in a table: detector=find('FILE.toml')", "in a table: --detector FILE.toml"),
        # Not an option of this command, not with this value, or no setting at all.
        ("colour='red', verify=True, dtype=False", "colour='red', verify=True, dtype=False"),
        ("the_dtype='int8', scale = 'x', a==b", "the_dtype='int8', scale = 'x', a==b"),
        ("no such file: verify=False/d/verify=False/x", "no such file: verify=False/d/verify=False/x"),
    ],
)
def test_settings_are_shown_as_options(said: str, shown: str) -> None:
    assert in_options(said, {"dtype", "no_verify", "allow_changes", "allow_unfed", "detector"}) == shown


def test_below_the_command_line_nothing_speaks_of_options() -> None:
    folders = ("converter", "parity", "unlite/cost", "unlite/detection", "unlite/training")
    files = {path for folder in folders for path in (ROOT / folder).rglob("*.py")}
    files.remove(ROOT / "converter" / "zoo" / "models.py")  # calls pip
    option, command = re.compile(r"--[a-z]+"), re.compile(r"`unlite [^`]+`")
    assert option.search("hint: --dtype float32")
    assert [(file, found) for file in files for found in option.findall(command.sub("", file.read_text("utf-8")))] == []


@pytest.mark.parametrize("verb", ["", "zoo list", "zoo fetch", *(verb.name for verb in VERBS)])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*verb.split(), "--help"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0
    assert f"Usage: {' '.join(['unlite', *verb.split()])}" in out
    assert ("Exit codes: 0 done; 1 does not agree" in " ".join(out.split())) == (not verb)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["convert"], ["inspect", "a", "b"]])
def test_command_that_is_none(arguments: list[str]) -> None:
    made = process(*arguments)
    assert made.returncode == 2
    assert "Usage: unlite" in made.stderr
    assert "Traceback" not in made.stderr


def test_reader_that_has_seen_enough() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "unlite", "zoo", "--json"]
    made = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (made.returncode, made.stderr) == (141, b"")  # not 0: no verdict has been read
