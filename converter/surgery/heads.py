"""Other classes for a detector: new classification branches, everything else bit for bit as it was.

A single-shot detector's logits come from one branch per feature map: a convolution with anchors × classes channels
(the class counts fastest), perhaps a depthwise convolution and a rearrangement, a reshape to [anchors, classes], a
concatenation. A branch is found by walking back from the output of the logits to the convolution, or is named.
"""

from collections.abc import Sequence
from math import log
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from converter.detectors.table import Detector, for_shapes
from converter.errors import BadHead
from converter.match.trace import Call, KerasNetwork, keras_network
from converter.surgery.head import Head, find_head
from converter.surgery.rewire import Rewiring
from converter.surgery.tower import Tower, build

Design = Literal["joint", "gated", "bottleneck", "tower", "two_stage"]
Start = Literal["old", "fresh"]
DESIGNS: tuple[str, ...] = get_args(Design)
# Share of anchors that a fresh head takes for an object: otherwise thousands of empty anchors drown the first steps
# of training. Source: Lin et al., Focal Loss for Dense Object Detection, 2017, section 3.3.
PRIOR = 0.01
# Channels of the bottleneck design, where the feature map has at least twice as many.
BOTTLENECK = 32
REGION = 64  # pixels of the two-stage design's regions


def replace_classes(  # noqa: PLR0913 - settings, by keyword
    model: Any,
    n: int,
    design: Design = "joint",
    *,
    start: Start = "old",
    branches: Sequence[str] = (),
    detector: Detector | None = None,
    tower: Tower | None = None,
    share: bool = False,
) -> Any:
    """Give a detector `n` classes.

    Args:
        model: A `keras.Model`: converted, or your own. It is not changed.
        n: Number of classes.
        design: How the classes are computed.

            - `joint`: the branch's convolution gets anchors × n channels.
            - `gated`: objectness stays as it is; a second branch beside it gives class logits, a third output
              [N, anchors, n]. A detection's score is the objectness, its class the largest class logit.
            - `bottleneck`: a narrow linear convolution first, shared by all anchors and classes of a feature map.
            - `tower`: a small network of its own looks at features of several resolutions; what it gives is added to
              the objectness, which stays as it is (see `converter.surgery.tower`).
            - `two_stage`: the detector stays as it is; what comes back is a second model, which classifies the
              detected region: [N, 64, 64, 3] in the detector's range → logits [N, n].
        start: `old`: the new model detects what the old one did, every class equally likely (`joint`,
            `bottleneck`: the old classes keep their logits, further ones start as the first). `fresh`: new weights
            as Keras initializes them, one anchor in a hundred taken for an object.
        branches: Names of the convolutions that give the logits, where they are not found.
        detector: What the model's tensors mean; default: the known detector that has such tensors.
        tower: Size of the `tower` design.
        share: Whether layers that stay as they are are `model`'s own instead of copies: built faster, and for looking
            at alone, for what is trained in one model is changed in the other.

    Returns:
        A functional `keras.Model` that shares nothing with `model`, unless `share` is set.

    Raises:
        BadHead: There is no detection head, or none that `branches` names, or what is asked for makes no sense.
        CannotChange: A layer cannot be built once more.
    """
    if design not in DESIGNS or start not in get_args(Start):
        raise BadHead(f"no design {design!r} that starts {start!r}", hint=f"designs: {', '.join(DESIGNS)}")
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise BadHead(f"{n!r} classes make no detector", hint="1 or more")
    n = int(n)
    traced = keras_network(model)
    head = find_head(traced, (branches,) if isinstance(branches, str) else branches, detector)
    if design in ("gated", "tower") and head.classes != 1:
        raise BadHead(f"{model.name} tells {head.classes} classes apart: it has no objectness to keep", "joint does")
    if design == "two_stage":
        return region_classifier(n, start)
    surgeon = _Surgeon(Rewiring(traced, share=share), head, n, start)
    if design == "tower":
        return surgeon.towered(_known(traced, detector), tower or Tower())
    return surgeon.gated() if design == "gated" else surgeon.replaced(narrow=design == "bottleneck")


class _Surgeon:
    """Builds the model again with other branches."""

    def __init__(self, rewiring: Rewiring, head: Head, n: int, start: Start) -> None:
        self._rewiring = rewiring
        self._head, self._n, self._start = head, n, start
        # The old class that each new one starts from.
        self._source = np.array([j if j < head.classes else 0 for j in range(n)])
        self._last = _last_sums(head)

    def replaced(self, *, narrow: bool) -> Any:
        """`joint` and `bottleneck`."""

        def change(call: Call, operands: list[Any]) -> Any:
            if call in self._head.branches:
                return self._narrow(call, operands[0]) if narrow else self._scaled(call, self._rewiring.again)
            return self._scaled(call, self._rewiring.again) if call in self._head.tail else None

        self._rewiring.run(change)
        return self._rewiring.model()

    def towered(self, detector: Detector, tower: Tower) -> Any:
        """Objectness plus what a tower says of the classes; without the objectness if it starts fresh."""
        from keras import layers

        tower.check()
        self._rewiring.run(lambda *_: None)
        prior = log(PRIOR / (1 - PRIOR)) if self._start == "fresh" else None
        logits = build(self._rewiring, self._head, detector, tower, self._n, prior)
        old = [*self._head.branches, *self._head.tail][-1].outputs[0]
        if self._start == "old":
            logits = layers.Add(name=self._rewiring.free("class_logits"))([logits, self._rewiring.values[old]])
        self._rewiring.values[old] = logits
        return self._rewiring.model()

    def gated(self) -> Any:
        """Objectness as it was, and a branch of the same layers beside it."""
        beside: dict[Any, Any] = {}

        def change(call: Call, _: list[Any]) -> Any:
            if call in self._head.branches or call in self._head.tail:
                name = f"class_{call.name}".replace("/", "_")
                made = self._scaled(call, lambda _, layer: self._beside(call, layer, beside), name)
                beside[call.outputs[0]] = made

        self._rewiring.run(change)
        last = [*self._head.branches, *self._head.tail][-1]
        return self._rewiring.model({"class_logits": beside[last.outputs[0]]})

    def _beside(self, call: Call, layer: Any, beside: dict[Any, Any]) -> Any:
        operands = [beside.get(tensor, self._rewiring.values[tensor]) for tensor in call.inputs]
        return layer(operands if len(operands) > 1 else operands[0])

    def _scaled(self, call: Call, run: Any, name: str = "") -> Any:
        """The same layer for other classes."""
        settings, kind = call.layer.get_config(), type(call.layer).__name__
        changed: dict[str, Any] = {"trainable": True} if getattr(call.layer, "weights", ()) else {}
        if kind == "Conv2D":
            changed["filters"] = settings["filters"] // self._head.classes * self._n
        elif kind == "Reshape":
            target = "target_shape" if "target_shape" in settings else "newshape"  # the layer, or `keras.ops`
            changed[target] = (*settings[target][:-1], self._reshaped(call))
        if self._start == "fresh" and call in self._last:
            changed["use_bias"] = True  # for the prior
        layer = self._rewiring.layer(call, name, **changed)
        made = run(call, layer)
        if getattr(layer, "weights", ()):
            layer.set_weights(self._weights(call, layer, is_beside=bool(name)))
        return made

    def _reshaped(self, call: Call) -> int:
        last = int(call.outputs[0].shape[-1])
        if last % self._head.classes:
            raise BadHead(f"{call.name} reshapes to {tuple(call.outputs[0].shape)}: where are the classes?")
        return last // self._head.classes * self._n

    def _weights(self, call: Call, layer: Any, *, is_beside: bool) -> list[NDArray[np.float32]]:
        new = layer.get_weights()
        if self._start == "old" and not is_beside:
            return [self._spread(old, made.shape) for old, made in zip(call.layer.get_weights(), new, strict=True)]
        if call in self._last and self._start == "old":  # every class equally likely
            return [np.zeros_like(made) for made in new]
        if call in self._last and not is_beside:
            new[-1] = np.full_like(new[-1], log(PRIOR / (1 - PRIOR)))
        return list(new)

    def _spread(self, old: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Weights per channel, for other classes: along the axis that has grown, the class counting fastest."""
        for axis, (before, after) in enumerate(zip(old.shape, shape, strict=True)):
            if before != after:
                groups = np.arange(before // self._head.classes)[:, None] * self._head.classes
                return np.asarray(np.take(old, (groups + self._source).ravel(), axis=axis))
        return old

    def _narrow(self, call: Call, features: Any) -> Any:
        settings, groups = call.layer.get_config(), call.layer.filters // self._head.classes
        old, channels = groups * self._head.classes, features.shape[-1]
        width = max(old, min(BOTTLENECK, channels // 2))
        narrow: dict[str, Any] = {"filters": width, "use_bias": False, "activation": None, "trainable": True}
        first = self._rewiring.layer(call, f"{call.name}_bottleneck".replace("/", "_"), **narrow)
        plain: dict[str, Any] = {"kernel_size": 1, "strides": 1, "padding": "valid", "dilation_rate": 1}
        plain |= {"use_bias": settings["use_bias"] or self._start == "fresh", "trainable": True}
        second = self._rewiring.layer(call, filters=groups * self._n, **plain)
        made = second(first(features))
        if self._start == "old":
            kernel, *bias = call.layer.get_weights()
            (own,) = first.get_weights()
            first.set_weights([np.concatenate([kernel, own[..., old:]], axis=-1)])
            chosen = self._spread(np.eye(width, old, dtype=np.float32)[None, None], (1, 1, width, groups * self._n))
            second.set_weights([chosen, *(self._spread(b, (groups * self._n,)) for b in bias)])
        else:
            second.set_weights(self._weights(call, second, is_beside=False))
        return made


def _known(traced: KerasNetwork, detector: Detector | None) -> Detector:
    """The detector, by its tensors if nobody says."""
    import keras

    (taken,), returned = (keras.tree.flatten(ends) for ends in (traced.arguments, traced.returned))
    return detector or for_shapes(tuple(taken.shape[1:]), [tuple(tensor.shape[1:]) for tensor in returned])


def _last_sums(head: Head) -> list[Call]:
    """The last layer of each branch that sums: what stands behind it hands logits on, one by one."""
    of: dict[Any, set[int]] = {call.outputs[0]: {number} for number, call in enumerate(head.branches)}
    last = dict(enumerate(head.branches))
    for call in head.tail:
        numbers = set().union(*(of[tensor] for tensor in call.inputs))
        of |= dict.fromkeys(call.outputs, numbers)
        if type(call.layer).__name__ == "DepthwiseConv2D":
            last |= dict.fromkeys(numbers, call)
    return list(last.values())


def region_classifier(n: int, start: Start = "old") -> Any:
    """The second stage: what is in a region that a detector has found.

    Args:
        n: Number of classes.
        start: See `replace_classes`.

    Returns:
        [N, 64, 64, 3] in the detector's range → logits [N, n]: a convolution and four separable ones, each
        halving the picture, then the mean.
    """
    import keras
    from keras import layers

    x = inputs = keras.Input((REGION, REGION, 3), name="region")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    for channels in (32, 64, 96, 128):
        x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
        x = layers.Conv2D(channels, 1, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    last = layers.Dense(n, kernel_initializer="zeros" if start == "old" else "glorot_uniform", name="class_logits")
    return keras.Model(inputs, last(x), name="region_classifier")
