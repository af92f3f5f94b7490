"""What our layers share."""

from inspect import signature
from typing import Any

import keras

# Extents; None where one is not known yet, as the batch.
Shape = tuple[Any, ...]
register = keras.saving.register_keras_serializable(package="unlite")


class ConfiguredLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose constructor arguments are its attributes of the same name."""

    def __init__(self, **kwargs: Any) -> None:  # without it, those of Keras's own class would count
        super().__init__(**kwargs)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        config: dict[str, Any] = super().get_config()
        # Not of the class: where it inherits its constructor, Python 3.11.2 shows the arguments of Keras's `__new__`.
        names = [name for name in signature(type(self).__init__).parameters if name not in {"self", "kwargs"}]
        return config | {name: getattr(self, name) for name in names}
