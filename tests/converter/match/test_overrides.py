"""Tables of overrides: what a row does, and what is wrong with a bad one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import BadOverride
from converter.match.alignment.evidence import Evidence
from converter.match.overrides import Override, read_overrides, starter_table
from converter.match.transfer import transfer
from converter.tflite.decode import decode
from tests.tools.files import siblings_file
from tests.tools.lazy import keras
from tests.tools.networks import plan_for, siblings

pytestmark = pytest.mark.one_setting

FILE = siblings_file("left", "right")
ROW = '[[override]]\ntensor = "a"\nvariable = "b"\nwhy = "c"'


def nameless() -> Any:
    return siblings("a", "b")


def row(tensor: str = "left/Kernel", variable: str = "a/kernel", layout: str | None = None) -> Override:
    return Override(tensor, variable, "a test", layout)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "overrides.toml"
    path.write_text(text)
    return path


def test_a_row_brings_the_bias_along_and_settles_its_sibling() -> None:
    plan = plan_for(nameless(), converter.read(FILE), overrides=[row()])
    assert plan.is_complete
    ways = {each.path: (each.tensor and each.tensor.name, each.why) for each in plan.assignments}
    assert ways["a/kernel"] == ("left/Kernel", Evidence.OVERRIDE)
    assert ways["a/bias"] == ("left/Bias", Evidence.OVERRIDE)
    assert ways["b/kernel"] == ("right/Kernel", Evidence.TOPOLOGY)
    transfer(plan)


def test_without_a_row_both_are_ambiguous() -> None:
    plan = plan_for(nameless(), converter.read(FILE))
    assert {leftover.name for leftover in plan.unread} == {"left/Kernel", "left/Bias", "right/Kernel", "right/Bias"}


def test_starter_table_can_be_filled_in(tmp_path: Path) -> None:
    plan = plan_for(nameless(), converter.read(FILE))
    text = starter_table(plan.starter)
    assert '#   a/kernel\n#   b/kernel\n[[override]]\ntensor = "left/Kernel"' in text
    with pytest.raises(BadOverride, match="lacks variable and why"):
        read_overrides(written(tmp_path, text))
    filled = text.replace('variable = ""\nwhy = ""', 'variable = "a/kernel"\nwhy = "built first"', 1)
    filled = filled.replace('variable = ""\nwhy = ""', 'variable = "b/kernel"\nwhy = "built second"')
    rows = read_overrides(written(tmp_path, filled))
    assert plan_for(nameless(), converter.read(FILE), overrides=rows).is_complete


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(tensor="lefd/Kernel")], r"names tensor 'lefd/Kernel', which the file does not have[^\n]*\n.*left/Kernel"),
        ([row(variable="a/kernal")], r"names variable 'a/kernal', which the model does not have[^\n]*\n.*a/kernel"),
        (
            [row(variable="end/kernel")],
            r"does not fit: the tensor has shape \(4, 3, 3, 3\), the variable \(1, 1, 4, 2\)",
        ),
        ([row(), row(variable="b/kernel")], r"contradicts override \('left/Kernel' → 'a/kernel'\)"),
        ([row(), row(tensor="right/Kernel")], "gives a variable a second value"),
        ([row(), row("left/Bias", "a/bias")], "does nothing: it follows from"),
        ([row("end/Kernel", "end/kernel")], "does nothing: both are matched by name already"),
        ([row(layout="oi->io")], "does not fit"),
    ],
)
def test_bad_rows_are_quoted(rows: list[Override], message: str) -> None:
    with pytest.raises(BadOverride, match=message):
        plan_for(nameless(), converter.read(FILE), overrides=rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[override]]\ntensor = 1", r"overrides.toml:1: row 1 lacks tensor and variable and why"),
        (f'\n\n{ROW}\n\n[[override]]\ntensor = "a"\nvariable = "b"', r"overrides.toml:8: row 2 lacks why"),
        (f'{ROW}\nwhen = "d"', "unknown key: when"),
        (f'{ROW}\nlayout = "x"', "unknown layout 'x'"),
        ("[[overrides]]\n", "expected .*override.* tables only, found overrides"),
        ("override = 3", "expected"),
        ("not toml", "not valid TOML"),
    ],
)
def test_bad_tables_say_which_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadOverride, match=message):
        read_overrides(written(tmp_path, text))


def test_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadOverride, match="cannot read"):
        read_overrides(tmp_path / "none.toml")


def test_layout_can_be_given() -> None:
    """Another one than the operator's, for an exporter that stores the kernel as Keras has it."""
    file, model = converter.read(FILE), nameless()
    transfer(plan_for(model, file, overrides=[row(layout="reshaped")]))
    stored = next(tensor for tensor in file.graph.tensors if tensor.name == "left/Kernel")
    kernel = keras.ops.convert_to_numpy(model.get_layer("a").kernel)
    np.testing.assert_array_equal(kernel, decode(stored).reshape(kernel.shape))
