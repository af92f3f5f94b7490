"""A second stage that starts from what another model has learned: its features of a region, and new classes on them.

MediaPipe's hand landmark models end in fully connected layers that all read the same numbers: the mean of the last
features over the picture. Whatever tells 21 landmarks apart tells gestures apart as well.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from converter.errors import BadHead
from converter.match.trace import Call, keras_network
from converter.ops import records
from converter.surgery.rewire import Rewiring

HIDDEN = 256
# Behind a hidden layer that has thousands of pictures to learn from, and more weights.
DROPPED = 0.3


def classifier_on_features(model: Any, n: int, hidden: int = HIDDEN) -> Any:
    """Classes on the features in front of a model's fully connected layers.

    Args:
        model: A `keras.Model` with one input, such as a converted hand landmark model. It is not changed.
        n: Number of classes.
        hidden: Units of the layer between features and classes; 0: none.

    Returns:
        What the model takes → logits [N, n], at first all zero. Only the new layers train.

    Raises:
        BadHead: The model does not end in fully connected layers that all read the same features.
        CannotChange: A layer cannot be built once more.
    """
    import keras
    from keras import layers

    if n < 1 or hidden < 0:
        raise BadHead(f"{n} classes on {hidden} hidden units make no classifier", hint="1 or more classes")
    traced = keras_network(model)
    makers = {tensor: call for call in traced.calls for tensor in call.outputs}
    ends = keras.tree.flatten(traced.returned)
    found = list(dict.fromkeys(x for end in ends for x in _features(end, makers)))
    if len(found) != 1 or len(found[0].shape) != 2:
        raise BadHead(
            f"{model.name} has {len(found)} tensors in front of its fully connected layers, expected one [N, channels]",
            hint="MediaPipe's hand_landmark_full and hand_landmark_lite have one",
        )
    rewiring = Rewiring(traced)
    rewiring.run(lambda *_: None)
    x = rewiring.values[found[0]]
    for layer in keras.Model(rewiring.inputs, x).layers:
        layer.trainable = False
    if hidden:
        x = layers.Dense(hidden, activation="relu", name=rewiring.free("class_features"))(x)
        x = layers.Dropout(DROPPED, name=rewiring.free("class_dropout"))(x)
    last = layers.Dense(n, kernel_initializer="zeros", name=rewiring.free("class_logits"))
    inputs = keras.tree.pack_sequence_as(traced.arguments, rewiring.inputs)
    return keras.Model(inputs, last(x), name=f"{model.name}_classifier")


def _features(tensor: Any, makers: Mapping[Any, Call]) -> Iterator[Any]:
    """What the nearest fully connected layers behind a tensor read."""
    call = makers.get(tensor)
    kind = type(call.layer).__name__ if call else "an input"
    if call and kind == "Dense":
        yield call.inputs[0]
    elif call and len(call.inputs) == 1 and (kind == "Activation" or records.layer(kind).in_head):
        yield from _features(call.inputs[0], makers)
    else:
        raise BadHead(
            f"no fully connected layer gives the outputs: behind one is {call.name if call else kind}",
            hint="MediaPipe's hand_landmark_full and hand_landmark_lite have such layers",
        )
