"""What our layers share."""

from typing import Any, ClassVar

import keras

PACKAGE = "unlite"
# Extents; None where one is not known yet, as the batch.
Shape = tuple[Any, ...]
register = keras.saving.register_keras_serializable(package=PACKAGE)


class ConfiguredLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose constructor arguments are its attributes of the same name.

    Attributes:
        arguments: Names of the constructor's arguments, saved with the model.
    """

    arguments: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        config: dict[str, Any] = super().get_config()
        return config | {name: getattr(self, name) for name in self.arguments}
