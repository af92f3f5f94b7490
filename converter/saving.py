"""Keras models to and from disk, and files that appear whole or not at all."""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import MalformedModel, ModelNotFound, OutputNotWritten

if TYPE_CHECKING:
    import keras

SUFFIX = ".keras"


def check_output(path: str | os.PathLike[str], suffix: str = SUFFIX) -> Path:
    """Check that `path` can become a file with `suffix`: before the long work, not after it.

    Raises:
        OutputNotWritten: It has another suffix, or its folder is missing or cannot be written.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise OutputNotWritten(f"{path} does not end in {suffix}", hint=f"try {path.stem or 'model'}{suffix}")
    if not path.parent.is_dir():
        raise OutputNotWritten(f"the folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    if path.is_dir():
        raise OutputNotWritten(f"{path} cannot be written: it is a folder")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()  # permissions alone do not say it
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be written: {error.strerror}") from None
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; what is there in the end becomes `path`, unless something went wrong.

    Raises:
        OutputNotWritten: It cannot be written; what was at `path` before is untouched.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
            whole = Path(scratch) / path.name
            yield whole
            whole.replace(path)
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be written: {error}") from None


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
    from converter.rebuild import import_keras

    path = Path(path)
    if not path.is_file():
        raise ModelNotFound(f"no such file: {path}")
    keras = import_keras()
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise MalformedModel(f"{path} cannot be loaded as a Keras model: {error}") from None
