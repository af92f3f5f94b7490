"""Where a detector's logits come from: its classification branches, found by walking back from the output."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.detectors.table import Detector, for_shapes
from converter.errors import BadDetector, BadHead
from converter.match.trace import Call, KerasNetwork
from converter.ops import records


@dataclass(frozen=True, slots=True)
class Head:
    """Where a detector's logits come from.

    Attributes:
        branches: Calls of the convolutions, one per feature map.
        tail: Calls behind them, to the output.
        classes: How many there are now.
    """

    branches: tuple[Call, ...]
    tail: tuple[Call, ...]
    classes: int


def find_head(traced: KerasNetwork, branches: Sequence[str] = (), detector: Detector | None = None) -> Head:
    """Find the branches that give a detector's logits.

    Args:
        traced: The model.
        branches: See `replace_classes`.
        detector: See `replace_classes`.

    Raises:
        BadHead: There are none, or it is in doubt which they are.
    """
    makers = {tensor: call for call in traced.calls for tensor in call.outputs}
    if branches:
        found = [call for call in traced.calls if call.name in branches]
        for name in branches:
            if not any(call.name == name and _is_convolution(call) for call in found):
                raise BadHead(f"the model has no convolution {name!r}", hint="names as in `model.summary()`")
    else:
        found = list(_walk_back(_logits(traced, detector), makers))
    tail = tuple(_downstream(traced, found))
    ends = [tensor for tensor in _returned(traced) if makers.get(tensor) in (*found, *tail)]
    if len(ends) != 1 or len(ends[0].shape) != 3:
        names = ", ".join(call.name for call in found)
        raise BadHead(f"{names}: {len(ends)} outputs come of them, expected one of shape [N, anchors, classes]")
    classes = ends[0].shape[2]
    if branches:
        _check_no_boxes(traced, ends[0], detector)
    for call in found:
        if call.layer.filters % classes:
            raise BadHead(
                f"{call.name} has {call.layer.filters} channels: no number of anchors times {classes} classes",
                hint="name the convolutions that give the logits: branches=[...]",
            )
    return Head(tuple(found), tail, classes)


def _check_no_boxes(traced: KerasNetwork, end: Any, detector: Detector | None) -> None:
    """Refuse branches that give the regressors of a detector that is known."""
    try:
        logits = _logits(traced, detector)
    except BadHead:  # that is why they were named
        return
    if logits is not end:
        raise BadHead("the branches that are named give boxes, not logits")


def box_branches(traced: KerasNetwork, detector: Detector) -> tuple[Call, ...]:
    """The convolutions that give a detector's regressors, one for each feature map.

    Raises:
        BadHead: There are none.
    """
    makers = {tensor: call for call in traced.calls for tensor in call.outputs}
    ends = [x for x in _returned(traced) if tuple(x.shape[1:]) == (detector.boxes, detector.coordinates)]
    return tuple(call for end in ends[:1] for call in _walk_back(end, makers))


def _is_convolution(call: Call | None) -> bool:
    return call is not None and type(call.layer).__name__ == "Conv2D"


def _returned(traced: KerasNetwork) -> list[Any]:
    import keras

    return list(keras.tree.flatten(traced.returned))


def _logits(traced: KerasNetwork, detector: Detector | None) -> Any:
    """The output that has the logits."""
    import keras

    (taken, *others), outputs = keras.tree.flatten(traced.arguments), _returned(traced)
    shapes = [tuple(tensor.shape[1:]) for tensor in outputs]
    hint = "describe it (detector=), or name the convolutions that give the logits (branches=)"
    try:
        known = detector or for_shapes(tuple(taken.shape[1:]), shapes)
    except BadDetector as error:
        raise BadHead(f"{traced.model.name} has no detection head: {error}".partition("\n")[0], hint) from None
    made = [tensor for tensor in outputs if len(tensor.shape) == 3 and tensor.shape[1] == known.boxes]
    logits = [tensor for tensor in made if tensor.shape[2] != known.coordinates]
    if others or len(made) != 2 or len(logits) != 1:
        raise BadHead(
            f"{traced.model.name}: outputs {shapes} leave in doubt which has the logits of {known.boxes} anchors", hint
        )
    return logits[0]


def _walk_back(tensor: Any, makers: Mapping[Any, Call]) -> Iterator[Call]:
    call = makers.get(tensor)
    if call is not None and _is_convolution(call):
        yield call
    elif call is None or not records.layer(type(call.layer).__name__).in_head:
        name = call.name if call else "an input"
        raise BadHead(
            f"no classification branch: behind the logits is {name}, not a convolution",
            hint="name the convolutions that give the logits: branches=[...]",
        )
    else:
        for operand in call.inputs:
            yield from _walk_back(operand, makers)


def _downstream(traced: KerasNetwork, found: Sequence[Call]) -> Iterator[Call]:
    reached = {tensor for call in found for tensor in call.outputs}
    for call in traced.calls:
        if not reached.intersection(call.inputs):
            continue
        if not records.layer(type(call.layer).__name__).in_head or not reached.issuperset(call.inputs):
            raise BadHead(
                f"{call.name} comes after the classification branch, and does more than hand its logits on",
                hint="branches=[...] has to name all of them",
            )
        reached.update(call.outputs)
        yield call
