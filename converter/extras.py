"""Packages that only one feature needs: pip's extras, and what is said where one of them is missing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from converter.errors import MissingBackend, UnliteError

# Extra → what it brings along: module → package.
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "collect": {"skimage": "scikit-image", "starlette": "starlette", "uvicorn": "uvicorn", "websockets": "websockets"},
    "detect": {"cv2": "opencv-python-headless"},
    "html": {"jinja2": "jinja2", "plotly": "plotly"},
    "onnx": {"onnx": "onnx", "onnxruntime": "onnxruntime", "tf2onnx": "tf2onnx"},
    "plot": {"matplotlib": "matplotlib"},
    "quantize": {"litert_quantizer": "litert-quantizer"},
    "tensorflow": {"tensorflow": "tensorflow"},
    "train": {
        "albumentations": "albumentations",
        "defusedxml": "defusedxml",
        "faster_coco_eval": "faster-coco-eval",
        "imagehash": "imagehash",
        "yaml": "pyyaml",
    },
}


def how_to_install(*extras: str) -> str:
    """What to type to get them, as a hint."""
    return f"pip install 'unlite[{','.join(extras)}]'"


def check_extra(extra: str, what: str, error: type[UnliteError] = MissingBackend) -> None:
    """Check that all packages of an extra are installed, before anything long begins; imports none of them.

    Args:
        extra: One of `EXTRAS`.
        what: What needs it, as the message shall name it.
        error: What to raise.

    Raises:
        UnliteError: One is not installed; the message names it, the hint says how to get it.
    """
    missing = [package for module, package in EXTRAS[extra].items() if find_spec(module) is None]
    if missing:
        raise error(f"{what} needs {', '.join(missing)} (not installed)", how_to_install(extra))


@contextmanager
def importing(extra: str, what: str) -> Iterator[None]:
    """Around the import of an extra's packages, where they are used.

    Args:
        extra: See `check_extra`.
        what: See `check_extra`.

    Raises:
        MissingBackend: One is not installed, or cannot be imported; the message says why.
    """
    try:
        yield
    except ImportError as error:
        packages = EXTRAS[extra]
        needed = packages.get((error.name or "").partition(".")[0]) or ", ".join(packages.values())
        raise MissingBackend(f"{what} needs {needed}: {error}", how_to_install(extra)) from None
