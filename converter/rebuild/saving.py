"""Keras models to and from disk."""

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import MalformedModel, ModelNotFound, OutputNotWritten
from converter.files import check_output, whole_file

if TYPE_CHECKING:
    import keras


def save(model: "keras.Model", path: str | os.PathLike[str]) -> None:
    """See `converter.save`."""
    with whole_file(check_output(path)) as whole:
        try:
            model.save(whole)
        except NotImplementedError as error:  # a layer of one's own without `get_config`
            raise OutputNotWritten(
                f"the model cannot be saved as .keras: {error}", hint="or use Python: parity.layers, model.save_weights"
            ) from None


def load(path: str | os.PathLike[str]) -> "keras.Model":
    """See `converter.load`."""
    from converter.rebuild.model import import_keras

    path = Path(path)
    if not path.is_file():
        raise ModelNotFound(f"no such file: {path}")
    keras = import_keras()
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise MalformedModel(f"{path} cannot be loaded as a Keras model: {error}") from None
