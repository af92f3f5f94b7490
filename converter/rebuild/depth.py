"""Networks of thousands of layers: Keras walks their graph by recursion, and Python allows a depth of a thousand."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

# Once in the configuration of every layer of a functional model.
_PER_LAYER = b'"inbound_nodes"'


@contextmanager
def deep_graph(layers: int) -> Iterator[None]:
    """While this is open, `keras.Model(inputs, outputs)` can be called with so many layers between the two.

    Keras looks for the inputs from the outputs on, one call of a Python function inside the other for each layer that
    it passes. Such calls take no C stack in the versions of Python that are supported here, so that allowing them
    cannot crash the process.

    Args:
        layers: At least as many as the longest path has.
    """
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(allowed + layers)
    try:
        yield
    finally:
        sys.setrecursionlimit(allowed)


def layers_in(path: Path) -> int:
    """How many layers the functional models in a `.keras` file have; 0 if it is no such file: loading it says why."""
    try:
        with ZipFile(path) as archive:
            return archive.read("config.json").count(_PER_LAYER)
    except (BadZipFile, KeyError, OSError):
        return 0
