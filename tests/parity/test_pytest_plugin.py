"""The plugin, in a pytest run of its own."""

import subprocess
import sys
from pathlib import Path

from tests.tools.files import siblings_file

TEST = """
import converter

FILE = {file!r}

def test_same(assert_parity):
    assert_parity(FILE, converter.convert(FILE))

def test_damaged(assert_parity):
    model = converter.convert(FILE)
    layer = model.get_layer("right")
    layer.set_weights([weight * 2 for weight in layer.get_weights()])
    assert_parity(FILE, model)
"""


def test_failure_message_is_the_report(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(siblings_file("left", "right"))
    (tmp_path / "test_mine.py").write_text(TEST.format(file=str(tmp_path / "model.tflite")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "parity.pytest_plugin", "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "AssertionError: right is wrong: its kernel and bias are not the file's; off by up to" in done.stdout
    assert "given the original's own values" in done.stdout
    assert "verdict" in done.stdout  # the table


def test_plugin_costs_nothing_at_start() -> None:
    code = "import sys, parity.pytest_plugin; assert not {'numpy', 'keras', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
