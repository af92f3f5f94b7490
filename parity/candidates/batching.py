"""Layers that may run on several inputs as one batch."""

from inspect import isfunction
from typing import Any

# Keras's and our own layers that compute each example by itself. On TensorFlow they give the same bits in a batch of
# four as alone, in five networks but for three convolutions over 1,152 channels: there the sums are in another order,
# and 3e-7 of the range apart. Those that add up a whole row or picture (`Dense`, global pooling, `Mean`) do so more
# often, are few, and are left out.
# fmt: off
PER_EXAMPLE = frozenset({
    "Add", "AveragePooling2D", "Average", "BatchNormalization", "BroadcastAdd", "Concatenate", "Conv2D",
    "Conv2DTranspose", "Cropping2D", "DepthToSpace", "DepthwiseConv2D", "Dropout", "Flatten", "Identity", "LeakyReLU",
    "MaxPooling2D", "Maximum", "Minimum", "Multiply", "Offset", "PReLU", "PaddedAveragePooling2D", "Permute", "ReLU",
    "Reshape", "ResizeBilinear", "ResizeNearest", "Scale", "SeparableConv2D", "SpaceToDepth", "StridedSlice",
    "Subtract", "UpSampling2D", "ZeroPadding", "ZeroPadding2D",
})
# fmt: on


def is_ours(layer: Any) -> bool:
    """Whether a layer is Keras's or our own, all in float32: then `call` is all that it does in inference."""
    policy = getattr(layer, "dtype_policy", None)
    is_known = type(layer).__module__.startswith(("keras.", "converter.layers."))
    return is_known and policy is not None and policy.name == "float32"


def is_per_example(layer: Any) -> bool:
    """Whether it makes no difference to a layer's results what else is in the batch."""
    if type(layer).__name__ == "Pad":  # an operation of `keras.ops`
        return type(layer).__module__.startswith("keras.") and not any(layer.pad_width[0])
    activation = getattr(layer, "activation", None)
    is_plain = activation is None or (isfunction(activation) and activation.__module__.startswith("keras."))
    joins_batch = type(layer).__name__ == "Concatenate" and layer.axis == 0
    return is_ours(layer) and type(layer).__name__ in PER_EXAMPLE and is_plain and not joins_batch
