"""Keras layers and models as other people write them."""

from typing import Any

import keras
from keras import layers


class Residual(layers.Layer):  # type: ignore[misc]
    """A person's own layer that holds standard ones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deep = layers.DepthwiseConv2D(3, padding="same", use_bias=False)
        self.point = layers.Conv2D(4, 1)

    def call(self, x: Any) -> Any:
        return x + keras.ops.relu6(self.point(self.deep(x)))


class Whole(keras.Model):  # type: ignore[misc]
    """A subclassed model."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")
        self.residual = Residual()
        self.up = layers.UpSampling2D(2, interpolation="bilinear")

    def call(self, x: Any) -> Any:
        return self.up(self.residual(self.stem(x)))


class Opaque(layers.Layer):  # type: ignore[misc]
    """Needs real numbers, so it cannot be entered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.Conv2D(4, 1, name="point")

    def call(self, x: Any) -> Any:
        if isinstance(x, keras.KerasTensor):
            raise TypeError("real numbers only")
        return self.inner(x)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((*x.shape[:3], 4))

    def build(self, shape: Any) -> None:
        self.inner.build(shape)


class Identity(layers.Layer):  # type: ignore[misc]
    """Called as Keras's, and is not."""

    def call(self, x: Any) -> Any:
        return 2.0 * x


class OneOutput(keras.Model):  # type: ignore[misc]
    """Forgets the second output."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole

    def call(self, x: Any) -> Any:
        return self.whole(x)[0]


class MixesBatch(keras.Model):  # type: ignore[misc]
    """What it gives for one input depends on the others."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole

    def call(self, x: Any) -> Any:
        output = self.whole(x)
        return output + 100 * (output - keras.ops.mean(output, axis=0, keepdims=True))


class MeanOfBatch(layers.Layer):  # type: ignore[misc]
    """What it gives for one input depends on the others."""

    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=0, keepdims=True) / 2


class Deceiver(keras.Model):  # type: ignore[misc]
    """Another model with numbers than with symbols."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole

    def call(self, x: Any) -> Any:
        made = self.whole(x)
        return made if isinstance(x, keras.KerasTensor) else [2 * made[0], made[1]]


class Raises(layers.Layer):  # type: ignore[misc]
    """Fine while it is traced, not with numbers."""

    def call(self, _x: Any) -> Any:
        raise RuntimeError("out of luck")

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape)


class NotSaved(layers.Layer):  # type: ignore[misc]
    """Its constructor takes something that no configuration has."""

    def __init__(self, factor: Any) -> None:
        super().__init__()
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor(1.0)
