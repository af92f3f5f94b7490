"""TFLite → Keras.

Example::

    import converter

    model = converter.convert("palm_detection_full.tflite")   # a functional keras.Model, ready to be trained
    converter.save(model, "palm.keras")
    model = converter.load("palm.keras")

Importing this package imports neither Keras nor numpy; `convert`, `save` and `load` import Keras when called.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint, LayerSpec
from converter.errors import MalformedModel, ModelNotFound, OutputNotWritten, UnliteError
from converter.tflite.model import Graph, Model
from converter.tflite.reader import Source, read

if TYPE_CHECKING:
    import keras

    from converter.rebuild.model import Progress

__version__ = "0.1.0"
__all__ = ["Blueprint", "Graph", "LayerSpec", "Model", "UnliteError", "blueprint", "convert", "load", "read", "save"]


def convert(
    source: Source | Model | Blueprint, *, name: str | None = None, progress: "Progress | None" = None
) -> "keras.Model":
    """Turn a `.tflite` file into a Keras model that can be trained.

    Args:
        source: A path, the file's bytes, or what `read` or `blueprint` returned.
        name: Name of the Keras model; by default the file's.
        progress: Called after every layer with (layers done, layers in all).

    Returns:
        A functional model with float32 inputs and outputs, batch axis free, outputs in the file's order.

    Raises:
        ModelNotFound: There is no such file.
        MalformedModel: It is not a valid `.tflite` file.
        UnsupportedOp: It has operators without a Keras equivalent; all of them are named.
        UnsupportedModel: It has several subgraphs, or inputs that are not float32.
        MissingBackend: Keras or its back end is not installed.
    """
    from converter.rebuild.model import rebuild

    if isinstance(source, Blueprint):
        return rebuild(replace(source, name=name or source.name), progress)
    model = source if isinstance(source, Model) else read(source)
    return rebuild(blueprint(model.graph, name or model.name), progress)


def save(model: "keras.Model", path: str | os.PathLike[str]) -> None:
    """Write a model as `.keras`, whole or not at all.

    Raises:
        OutputNotWritten: The path has another suffix or cannot be written.
    """
    from converter.files import check_output, whole_file

    with whole_file(check_output(path)) as whole:
        try:
            model.save(whole)
        except NotImplementedError as error:  # a layer of one's own without `get_config`
            raise OutputNotWritten(
                f"the model cannot be saved as .keras: {error}", hint="or use Python: parity.layers, model.save_weights"
            ) from None


def load(path: str | os.PathLike[str]) -> "keras.Model":
    """Load a converted model, in Keras's safe mode.

    Raises:
        ModelNotFound: There is no such file.
        MalformedModel: It is no `.keras` file, or one that needs other layers.
    """
    from zipfile import BadZipFile

    from converter.rebuild.model import import_keras

    path = Path(path)
    if not path.is_file():
        raise ModelNotFound(f"no such file: {path}")
    keras = import_keras()
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, BadZipFile) as error:
        raise MalformedModel(f"{path} cannot be loaded as a Keras model: {error}") from None
