"""Packages that one feature needs: what is said where they are missing, and that nothing else needs them."""

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.detectors.letterbox import whole
from converter.errors import MissingBackend
from converter.extras import EXTRAS, importing
from converter.write.quantize import quantize
from parity.candidates.onnx import OnnxCandidate
from parity.report.html import write_html
from parity.runners.runtimes import OnnxRuntime
from tests.tools.commands import check_refused, left_behind, process, run
from tests.tools.files import siblings_file
from unlite.cost.plot import write_plot
from unlite.detection.images import frames
from unlite.detection.pipeline import sample

pytestmark = pytest.mark.one_setting

ROOT = Path(__file__).parents[3]
BACK_ENDS = {"tensorflow", "jax", "torch"}
NONE = "none.keras"  # a file that does not exist: a package is asked for before anything is loaded


@pytest.fixture(autouse=True)
def pictures(folder: Path) -> None:
    """A folder for pictures."""
    (folder / "pictures").mkdir()


def extra_of(module: str) -> str:
    return next(extra for extra, packages in EXTRAS.items() if module in packages)


def hide(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed, also where another test has imported parts of it."""
    for name in [module, *(loaded for loaded in sys.modules if loaded.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("module", "arguments", "what"),
    [
        ("cv2", ["detect", "none.png"], "unlite detect"),
        ("cv2", ["demo"], "unlite demo"),
        ("cv2", ["heads", "none.tflite"], "unlite heads"),
        ("cv2", ["export", NONE, "--dtype", "int8", "--representative", "pictures"], "--representative"),
        ("jinja2", ["parity", "file.tflite", NONE, "--html", "page.html"], "--html"),
        ("plotly", ["parity", "file.tflite", NONE, "--html", "page.html"], "--html"),
        ("matplotlib", ["heads", "none.tflite", "--plot", "heads.svg"], "--plot"),
        ("onnx", ["export", NONE, "--onnx"], "--onnx"),
        ("onnxruntime", ["export", NONE, "--onnx"], "--onnx"),
        ("tf2onnx", ["export", NONE, "--onnx"], "--onnx"),
        ("onnxruntime", ["heads", "none.tflite", "--runtime", "onnx"], "runtime onnx"),
        ("litert_quantizer", ["export", NONE, "--dtype", "dynamic"], "--dtype dynamic"),
        ("litert_quantizer", ["heads", "none.tflite", "--runtime", "litert-int8"], "runtime litert-int8"),
        ("tensorflow", ["heads", "none.tflite", "--runtime", "naive"], "runtime naive"),
        ("albumentations", ["finetune", "none.tflite", "--data", "none"], "unlite finetune"),
        ("cv2", ["finetune", "none.tflite", "--data", "none"], "unlite finetune"),
        ("plotly", ["finetune", "none.tflite", "--data", "none"], "unlite finetune"),
        ("uvicorn", ["collect", "--labels", "fist"], "unlite collect"),
        ("skimage", ["collect", "none.mp4", "--label", "fist"], "unlite collect"),
        ("imagehash", ["collect", "none.mp4", "--label", "fist"], "unlite collect"),
        ("cv2", ["parity", "file.tflite", NONE, "--inputs", "pictures"], "--inputs with a folder"),
    ],
)
def test_command_that_needs_it(
    module: str, arguments: list[str], what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = extra_of(module)
    hide(module, monkeypatch)
    needs = f" needs {EXTRAS[extra][module]} (not installed)\nhint: pip install 'unlite[{extra}]'\n"
    check_refused(capsys, *arguments, message=needs)
    assert run(capsys, *arguments)[2].startswith(f"error: {what}")


PICTURE = np.zeros((8, 8, 3), np.uint8)
NOTHING: Any = None


CALLS: list[tuple[str, str, Callable[[], Any]]] = [
    ("sampling pictures", "cv2", lambda: sample(PICTURE, whole(8, 8), (8, 8), (0, 1))),
    ("reading videos", "cv2", lambda: list(frames("film.mp4"))),
    ("an HTML report", "jinja2", lambda: write_html({}, {}, Path("page.html"))),
    ("an HTML report", "plotly", lambda: write_html({}, {}, Path("page.html"))),
    ("drawing", "matplotlib", lambda: write_plot(NOTHING, Path("heads.svg"))),
    ("running file.onnx", "onnx", lambda: OnnxCandidate(Path("file.onnx"))),
    ("running file.onnx", "onnxruntime", lambda: OnnxCandidate(Path("file.onnx"))),
    ("running ONNX", "onnxruntime", lambda: OnnxRuntime(b"")),
    ("writing int8", "litert_quantizer", lambda: quantize(siblings_file("left", "right"), "dynamic")),
]


@pytest.mark.parametrize(("what", "module", "call"), CALLS, ids=[f"{what}: {module}" for what, module, _ in CALLS])
def test_function_that_needs_it(
    what: str, module: str, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = extra_of(module)
    hide(module, monkeypatch)
    reason = rf"{what} needs {EXTRAS[extra][module]}: .*{module}.*\nhint: pip install 'unlite\[{extra}\]'"
    with pytest.raises(MissingBackend, match=reason):
        call()
    assert left_behind() == {"pictures"}


def test_package_that_is_there_and_broken() -> None:
    reason = "a page needs jinja2, plotly: libfoo.so.1: cannot open shared object file\nhint: pip install"
    with pytest.raises(MissingBackend, match=reason), importing("html", "a page"):
        raise ImportError("libfoo.so.1: cannot open shared object file")


def test_extras_bring_what_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    listed = {extra: {name(text) for text in texts} - {"unlite"} for extra, texts in optional.items()}
    features = listed.keys() - BACK_ENDS - {"all"}
    brought = {extra: set(packages.values()) for extra, packages in EXTRAS.items() if extra != "tensorflow"}
    assert brought == {extra: listed[extra] for extra in features}
    assert optional["all"] == [f"unlite[{','.join(sorted(features))}]"]
    assert optional["train"][0] == "unlite[detect,html]"  # `unlite finetune` checks these as well
    assert set.union(*listed.values()).isdisjoint(map(name, project["dependencies"]))


def name(requirement: str) -> str:
    """The package of a requirement."""
    return re.split(r"[\[<>=;, ]", requirement)[0]


def test_other_commands_need_none_of_them() -> None:
    code = f"""
import sys
sys.modules |= dict.fromkeys({[*EXTRAS["detect"], *EXTRAS["html"], *EXTRAS["plot"], *EXTRAS["onnx"]]})
sys.modules |= dict.fromkeys({[*EXTRAS["quantize"], *EXTRAS["train"]]})
from unlite.commands.main import main
for line in ("inspect file.tflite", "convert file.tflite", "transfer file.tflite file.keras -o moved.keras",
             "parity file.tflite moved.keras", "export file.keras --like file.tflite -o new.tflite", "zoo"):
    assert main(line.split()) == 0, line
"""
    made = process(code=code)
    assert made.returncode == 0, made.stderr
    assert {"moved.keras", "new.tflite"} <= left_behind()
