"""What our layers share."""

from inspect import signature
from typing import Any

import keras

from converter.ops import records

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
        return config | self.settings()

    def settings(self) -> dict[str, Any]:
        """The arguments that it was made with."""
        # Not of the class: where it inherits its constructor, Python 3.11.2 shows the arguments of Keras's `__new__`.
        names = [name for name in signature(type(self).__init__).parameters if name not in {"self", "kwargs"}]
        return {name: getattr(self, name) for name in names}


class OperatorLayer(ConfiguredLayer):
    """A layer that `converter.ops` has a record of, which says what shapes it gives."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the record of its operator has it; of several operands or results a list of shapes."""
        has_several = bool(input_shape) and isinstance(input_shape[0], (list, tuple))
        operands = input_shape if has_several else [input_shape]
        made = records.layer(type(self).__name__).shapes(self.settings(), [tuple(shape[1:]) for shape in operands])
        results = [(operands[0][0], *shape) for shape in made]
        return results if len(results) > 1 else results[0]
