"""`.keras` archives as models."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any
from zipfile import BadZipFile

from converter.detectors.labels import ATTRIBUTE, read_labels
from converter.errors import MalformedModel, ModelNotFound
from converter.rebuild.depth import deep_graph, layers_in
from converter.rebuild.model import import_keras, uncollected

# The classes of `keras.initializers` that draw; others are derived from them.
DRAWING = ("Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling")


def load_model(path: Path) -> Any:
    """See `converter.load`."""
    if not path.is_file():
        raise ModelNotFound(f"no such file: {path}")
    keras = import_keras()
    try:
        with uncollected(), deep_graph(layers_in(path)), _nothing_drawn(keras):
            model = keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, BadZipFile) as error:
        raise MalformedModel(f"{path} cannot be loaded as a Keras model: {error}") from None
    if labels := read_labels(path):
        setattr(model, ATTRIBUTE, labels)
    return model


@contextmanager
def _nothing_drawn(keras: Any) -> Iterator[None]:
    """While a model is built whose weights are read next, none of which may be missing: random ones would be lost.

    Drawing them takes a tenth of the time on TensorFlow, and minutes on JAX, which compiles it for every shape. What
    other threads build gets random weights as ever.
    """
    import numpy as np

    thread = get_ident()

    def quickly(draw: Callable[..., Any]) -> Callable[..., Any]:
        def initialize(self: Any, shape: Any, dtype: Any = None, **settings: Any) -> Any:
            if get_ident() != thread:
                return draw(self, shape, dtype=dtype, **settings)
            return keras.ops.convert_to_tensor(np.zeros(shape, np.float32), dtype=dtype)

        return initialize

    classes = [getattr(keras.initializers, name) for name in DRAWING]
    before = {cls: cls.__call__ for cls in classes}
    try:
        for cls, draw in before.items():
            cls.__call__ = quickly(draw)
        yield
    finally:
        for cls, draw in before.items():
            cls.__call__ = draw
