"""What becomes of somebody's own model on disk, known before it is written."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from converter.detectors.labels import Labels, labels_of, put_into_archive
from converter.errors import OutputNotWritten
from converter.files import check_output, whole_file

WEIGHTS = ".weights.h5"
# Whose classes are there wherever a model is loaded, see `import_keras`.
KNOWN = ("keras", "converter")
# As Keras says it now, and as early versions did.
_MISSING = re.compile(r"Could not locate (class|function) '([^']+)'")
_NO_FUNCTION = re.compile(r"'class_name': '(function)', 'config': '([^']+)'")
_LAMBDA = re.compile(r"Requested the deserialization of [^.]*\blambda|layer is a Python lambda", re.IGNORECASE)


def save_model(model: Any, path: Path, labels: Labels | None = None) -> None:
    """Write a `keras.Model` as `.keras`; see `converter.save`.

    Raises:
        OutputNotWritten: It has a layer that cannot be saved.
    """
    try:
        model.save(path)
    except NotImplementedError as error:  # a layer of one's own without `get_config`
        raise OutputNotWritten(
            f"the model cannot be saved as .keras: {error}", hint="or use Python: parity.layers, model.save_weights"
        ) from None
    if known := labels or labels_of(model):
        put_into_archive(path, known)


def save_weights(model: Any, path: Path) -> None:
    """Write a model's weights alone, for `model.load_weights`; whole or not at all.

    Raises:
        OutputNotWritten: The path does not end in `.weights.h5`, or cannot be written.
    """
    with whole_file(check_output(path, WEIGHTS)) as whole:
        model.save_weights(whole)


def not_loadable(model: Any) -> dict[str, str]:
    """Why a `.keras` file of a model would not load again, in a process that has not run its author's code.

    The file has settings, and no code. Each layer's go there and back as in the file, without its weights: building
    it would draw random numbers, for minutes on JAX.

    Args:
        model: A `keras.Model`.

    Returns:
        What stands in the way, `layer 'NAME'`, → the reason; empty if it loads.

    Raises:
        OutputNotWritten: It cannot even be saved.
    """
    import keras

    serialize = keras.saving.serialize_keras_object
    settings = {f"{_kind(part)} {part.name!r}": partial(serialize, part) for part in _parts(model)}
    settings["what it was compiled with"] = model.get_compile_config
    with _known_classes_only(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a lambda: it is among the reasons
        reasons = {what: _reason(keras, save) for what, save in settings.items()}
    return {what: reason for what, reason in reasons.items() if reason}


def _parts(model: Any) -> Iterator[Any]:
    """All layers, and operations of `keras.ops`, that are saved one by one: also those of models within the model."""
    if not type(model).__module__.startswith("keras."):
        yield model  # a class of one's own, whatever it holds
        return
    for part in getattr(model, "operations", None) or model.layers:
        yield from _parts(part) if hasattr(part, "layers") else (part,)


def _kind(part: Any) -> str:
    return "model" if hasattr(part, "layers") else "layer"


def _reason(keras: Any, save: Callable[[], Any]) -> str | None:
    """Why something does not come back from the settings that `save` gives; None if it does."""
    try:
        saved = json.loads(json.dumps(save()), object_hook=_without_module)
        if saved:
            saved.pop("build_config", None)
            keras.saving.deserialize_keras_object(saved, safe_mode=True)
    except NotImplementedError as error:  # a layer of one's own without `get_config`
        raise OutputNotWritten(
            f"the model cannot be saved as .keras: {error}", hint=f"its weights alone can: OUT{WEIGHTS}"
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever Keras and somebody's constructor raise
        return _in_short(str(error)) or type(error).__name__
    return None


def _without_module(settings: dict[str, Any]) -> dict[str, Any]:
    """Early versions of Keras import whatever module a class is from, and here it has been imported already."""
    is_own = isinstance(settings.get("module"), str) and not settings["module"].startswith(("keras", "builtins"))
    return settings | {"module": None} if is_own else settings


def _in_short(message: str) -> str:
    """Keras's own words come with a whole configuration around them."""
    if missing := _MISSING.search(message) or _NO_FUNCTION.search(message):
        return f"the {missing[1]} {missing[2].rpartition('>')[2]} is in your code alone"
    if _LAMBDA.search(message):
        return "Keras loads no Python lambda in safe mode; what keras.ops has (keras.ops.pad) needs none"
    return message.rpartition("Exception encountered: ")[2].partition("\n")[0].partition(". ")[0]


@contextmanager
def _known_classes_only() -> Iterator[None]:
    """As in another process: without what somebody's code has registered in this one."""
    import keras

    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    for name, known in before.items():
        if known.__module__.partition(".")[0] not in KNOWN:
            del registered[name]
    try:
        yield
    finally:
        registered.update(before)
