"""A candidate from the command line: a saved model, a function that builds one, another file, or a saved trace."""

import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import converter
from converter.errors import BadCandidate, UnliteError
from converter.rebuild.model import import_keras
from parity.candidates.candidate import Candidate
from parity.candidates.keras import KerasCandidate

FORMS = "expected a .keras, .tflite or .onnx file, a trace (.npz), or file.py:function"


def load_model(text: str) -> Any:
    """A `keras.Model` from a `.keras` file or from `file.py:function`.

    Raises:
        BadCandidate: There is no such thing, or it is no Keras model; the message says which.
    """
    if ".py:" in text:
        return _from_function(text)
    path = Path(text)
    if path.suffix != ".keras":
        raise BadCandidate(f"{text!r} is no Keras model: expected a .keras file or file.py:function")
    try:
        return converter.load(path)
    except UnliteError as error:
        raise BadCandidate(
            str(error), hint="for layers of your own give a function that builds the model instead: file.py:function"
        ) from None


def load_candidate(text: str) -> Candidate:
    """Whatever can be compared.

    Raises:
        BadCandidate: It cannot be loaded.
        UnsupportedModel: It cannot be traced.
    """
    suffix = Path(text).suffix
    if suffix in (".tflite", ".onnx", ".npz") and not Path(text).is_file():
        raise BadCandidate(f"no such file: {text}", hint=FORMS)
    if suffix == ".tflite":
        from parity.candidates.tflite import TfliteCandidate

        return TfliteCandidate(converter.read(text))
    if suffix == ".onnx":
        from parity.candidates.onnx import OnnxCandidate

        return OnnxCandidate(Path(text))
    if suffix == ".npz":
        from parity.candidates.saved_traces import SavedTrace

        return SavedTrace(Path(text))
    if suffix != ".keras" and ".py:" not in text:
        raise BadCandidate(f"{text!r} is nothing that can be compared", hint=FORMS)
    return KerasCandidate(load_model(text))


def _from_function(text: str) -> Any:
    file, _, function = text.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise BadCandidate(f"no such file: {path}", hint=FORMS)
    spec = importlib.util.spec_from_file_location(f"unlite_candidate_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadCandidate(f"{path} is no Python file", hint=FORMS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and the like look their module up
    sys.path.insert(0, str(path.parent.resolve()))  # for what lies beside it
    try:
        with redirect_stdout(sys.stderr):  # stdout is for our own result
            spec.loader.exec_module(module)
            build = getattr(module, function, None)
            model = build() if callable(build) else None
    except (Exception, SystemExit) as error:
        raise BadCandidate(f"{text} raises {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    if not callable(build):
        found = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise BadCandidate(f"{path} has no function {function!r}", hint=f"it has: {', '.join(found) or 'none'}")
    keras = import_keras()
    if not isinstance(model, keras.Model):
        raise BadCandidate(f"{text} gives a {type(model).__name__}, not a keras.Model")
    return model
