"""The page of figures says what was measured, section by section."""

import sys
from pathlib import Path

import numpy as np
import pytest

import converter
from benchmarks import commands, large, looking
from benchmarks.figures_page import PAGE, SECTIONS, parse, write
from benchmarks.pages import figures
from benchmarks.pages.machine import machine
from benchmarks.pages.peers import PACKAGES, Found, Peer, Way, error_line, largest_difference, made_of, tried, whole
from benchmarks.pages.waiting import Wait, watched
from benchmarks.process import Run

pytestmark = pytest.mark.one_setting

UNITS = tuple(Run(2.0 * slower, 1.0 * slower, 100.0) for slower in range(1, 4))
RUNS = tuple(Run(3.0 * slower, 4.0 * slower, 200.0 + slower) for slower in range(1, 4))
COST = commands.Cost("convert", RUNS, UNITS)
FOUND = Found("Keras file", 5.0, 600, 1e-4)
TRACEBACK = """Traceback (most recent call last):
  File "load.py", line 1, in <module>
KeyError: "Unsupported op type 'PRELU'. Registered ops: [ADD, MUL]"
"""


def rows(text: str) -> list[list[str]]:
    """Cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_commands() -> None:
    assert rows(figures.of_commands([COST])) == [["convert", "6.00", "1.50 (1.50–1.50)", "4.00 (4.00–4.00)", "203"]]


def test_peers_that_work_and_fail() -> None:
    own = commands.Cost("convert", RUNS, RUNS)
    works = Peer("palm", 1000, "ours", COST, own, FOUND)
    in_memory = Peer("palm", 1000, "built", COST, own, Found("model in memory", 0.0, 1000, float("inf")))
    fails = Peer("palm", 1000, "theirs", None, None, error_line(TRACEBACK))
    text = figures.of_peers([works, in_memory, fails], list("123456"))
    ratios = ["1.50 (1.50–1.50)", "4.00 (4.00–4.00)", "1.00 (1.00–1.00)"]
    assert rows(text) == [
        ["palm", "ours", "Keras file", "600 of 1,000", "1e-04", "5.00", *ratios],
        ["palm", "built", "model in memory", "1,000 of 1,000", "inf", "", *ratios],
        ["palm", "theirs", "fails: KeyError: Unsupported op type 'PRELU'.", *[""] * 6],
    ]
    assert f"{PACKAGES[0]}==1" in text
    with pytest.raises(ValueError, match="zip"):
        figures.of_peers([works], ["1"])


def test_the_line_of_an_error() -> None:
    again = "\nDuring handling of it, another exception occurred:\n\n"
    last = "Traceback (most recent call last):\n  line 2\na.b.Refused: no file\n[node x]\nsome hint\n"
    assert error_line(TRACEBACK + again + last) == "a.b.Refused: no file"
    assert error_line("usage: x\nx: error: what?\n") == "x: error: what?"
    assert error_line("") == "no message"


def test_outputs_are_compared_by_shape() -> None:
    boxes, scores = np.zeros((1, 4), np.float32), np.ones((1, 2), np.float32)
    assert largest_difference([boxes, scores], [scores, boxes + 0.5]) == 0.5
    assert largest_difference([boxes, scores], [boxes]) == float("inf")
    assert largest_difference([boxes], [boxes * np.nan]) == float("inf")


def test_a_way_is_tried(tmp_path: Path) -> None:
    file = tmp_path / "tiny.tflite"
    large.chain(file, 2)
    model = converter.read(file)
    fails = Way("fails", sys.executable, (["-c", "raise KeyError('PRELU')"],), "built", file)
    assert tried(fails, model, tmp_path) == "KeyError: 'PRELU'"
    useless = Way("useless", sys.executable, (["-c", "pass"],), "built", tmp_path / "none.tflite")
    assert "none.tflite" in str(tried(useless, model, tmp_path))
    works = tried(Way("works", sys.executable, (["-c", "pass"],), "built", file), model, tmp_path)
    assert isinstance(works, Found)
    assert (works.gives, works.megabytes, works.trainable) == ("model in memory", 0.0, 4 * 4 + 4)
    assert works.difference < 1e-5  # float32, of numbers near 1


def test_what_is_written_is_named(tmp_path: Path) -> None:
    for name in ("saved_model.pb", "variables/variables.index", "model_float32.tflite"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(500))
    assert made_of(tmp_path) == ("SavedModel", 0.001)
    (tmp_path / "model.keras").write_bytes(bytes(1000))
    assert made_of(tmp_path) == ("Keras file, SavedModel", 0.002)
    assert made_of(tmp_path / "model.keras") == ("Keras file", 0.001)


def test_several_processes_are_one() -> None:
    assert whole([Run(1.0, 2.0, 30.0), Run(3.0, 4.0, 20.0)]) == Run(4.0, 6.0, 30.0)


def test_pictures() -> None:
    network, picture = [tuple(looking.Taken(value, value) for _ in range(3)) for value in (2.0, 3.0)]
    text = figures.of_looking([looking.Cost("palm", "video", network, picture)])
    assert rows(text) == [["palm", "video", "2.00", "3.00", "1.50 (1.50–1.50)", "1.50 (1.50–1.50)"]]


def test_long_files() -> None:
    lengths = {large.SHORTEST: 5.0, 500: 6.0, 5000: 16.0}
    measured = [
        large.Measured(f"chain of {length}", 1.0, length, large.INSPECT, Run(seconds, seconds, 10.0))
        for length, seconds in lengths.items()
    ]
    text = figures.of_large(measured)
    assert ["chain of 5000", "1.0", "5,000", "inspect", "16.0", "3.2", "3.2", "10"] in rows(text)
    assert rows(text)[-1] == ["inspect", "500", "5,000", "11.0"]


def test_waiting() -> None:
    text = figures.of_heads([Wait(2.0, 10.0, 20.0)] * 3)
    assert rows(text) == [
        ["the first table", "10.0", "5.00 (5.00–5.00)"],
        ["the end", "20.0", "10.00 (10.00–10.00)"],
    ]


def test_a_terminal_is_watched() -> None:
    first, done = watched(["-c", "import time; print('a table', flush=True); time.sleep(1)"], mark="table")
    assert first + 0.9 < done
    with pytest.raises(RuntimeError, match="exited with 0: other"):
        watched(["-c", "print('other')"], mark="table")
    with pytest.raises(RuntimeError, match="exited with 3"):
        watched(["-c", "print('table'); raise SystemExit(3)"], mark="table")


def test_one_section_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- a -->\nold\n<!-- end -->\n\nwhy\n\n<!-- b -->\nkept\n<!-- end -->\n", "utf-8")
    write(page, "a", "| new |", "today")
    text = page.read_text("utf-8")
    assert "| new |\n\nMeasured by `python -m benchmarks.figures_page a`: today." in text
    assert text.endswith("\n\nwhy\n\n<!-- b -->\nkept\n<!-- end -->\n")
    assert "old" not in text
    with pytest.raises(ValueError, match="substring not found"):
        write(page, "c", "", "today")


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_has_a_place(name: str) -> None:
    part = PAGE.read_text("utf-8").partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]
    assert part.startswith("| ")
    assert f"Measured by `python -m benchmarks.figures_page {name}`: " in part


def test_sections_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([])[0] == [name for name in SECTIONS if name != "peers"]
    sections, settings = parse(["--peers", "env/bin/python", "--lengths", "500", "5000"])
    assert sections == list(SECTIONS)
    assert (settings.peers, settings.lengths) == (str(Path.cwd() / "env/bin/python"), [500, 5000])
    assert parse(["looking"])[0] == ["looking"]
    for words, said in (["peers"], "which interpreter"), (["lokking"], "no section lokking"):
        with pytest.raises(SystemExit):
            parse(words)
        assert said in capsys.readouterr().err


def test_the_machine_is_named(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast One\nprocessor\t: 1\nmodel name\t: Fast One\n")
    assert "cores of Fast One; Python 3." in machine(cpuinfo)
    assert "LiteRT 2." in machine(tmp_path / "none")
