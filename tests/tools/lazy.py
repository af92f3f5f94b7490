"""Modules that are imported when a test first uses them, so that collecting the tests imports no Keras."""

from importlib import import_module
from typing import Any


class Lazy:
    """A module, by its name in `import`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # what pytest asks everything that it finds
            raise AttributeError(attribute)
        return getattr(import_module(self._name), attribute)


keras, layers, ops = Lazy("keras"), Lazy("keras.layers"), Lazy("keras.ops")
own_layers, odd_layers = Lazy("converter.layers"), Lazy("tests.tools.odd_layers")
architectures, faults = Lazy("fixtures.handwritten.architectures"), Lazy("fixtures.handwritten.faults")
rewrites, trials = Lazy("fixtures.handwritten.rewrites"), Lazy("fixtures.handwritten.trials")
