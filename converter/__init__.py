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

    from converter.detectors.labels import Labels
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
        A functional model with float32 inputs and outputs, batch axis free, outputs in the file's order. Labels that
        unlite has written into the file are its attribute `labels` (a `Blueprint` has none).

    Raises:
        ModelNotFound: There is no such file.
        MalformedModel: It is not a valid `.tflite` file.
        UnsupportedOp: It has operators without a Keras equivalent; all of them are named.
        UnsupportedModel: It has several subgraphs, or inputs that are not float32.
        MissingBackend: Keras or its back end is not installed.
    """
    from converter.detectors.labels import ATTRIBUTE, own_labels
    from converter.rebuild.model import rebuild

    if isinstance(source, Blueprint):
        return rebuild(replace(source, name=name or source.name), progress)
    model = source if isinstance(source, Model) else read(source)
    made = rebuild(blueprint(model.graph, name or model.name), progress)
    if labels := own_labels(model):
        setattr(made, ATTRIBUTE, labels)
    return made


def save(model: "keras.Model", path: str | os.PathLike[str], labels: "Labels | None" = None) -> None:
    """Write a model as `.keras`, whole or not at all.

    Args:
        model: A `keras.Model`.
        path: Where to.
        labels: What its classes are called; default: the model's attribute `labels`, where `load` puts them. Keras's
            own `model.save` does not know them.

    Raises:
        OutputNotWritten: The path has another suffix or cannot be written.
    """
    from converter.detectors.labels import labels_of, put_into_archive
    from converter.files import check_output, whole_file

    labels = labels or labels_of(model)
    with whole_file(check_output(path)) as whole:
        try:
            model.save(whole)
        except NotImplementedError as error:  # a layer of one's own without `get_config`
            raise OutputNotWritten(
                f"the model cannot be saved as .keras: {error}", hint="or use Python: parity.layers, model.save_weights"
            ) from None
        if labels:
            put_into_archive(whole, labels)


def load(path: str | os.PathLike[str]) -> "keras.Model":
    """Load a converted model, in Keras's safe mode; labels that were saved with it are its attribute `labels`.

    Raises:
        ModelNotFound: There is no such file.
        MalformedModel: It is no `.keras` file, or one that needs other layers.
    """
    from zipfile import BadZipFile

    from converter.detectors.labels import ATTRIBUTE, read_labels
    from converter.rebuild.depth import deep_graph, layers_in
    from converter.rebuild.model import import_keras

    path = Path(path)
    if not path.is_file():
        raise ModelNotFound(f"no such file: {path}")
    keras = import_keras()
    try:
        with deep_graph(layers_in(path)):
            model = keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, BadZipFile) as error:
        raise MalformedModel(f"{path} cannot be loaded as a Keras model: {error}") from None
    if labels := read_labels(path):
        setattr(model, ATTRIBUTE, labels)
    return model
