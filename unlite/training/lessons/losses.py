"""What training makes smaller, on every back end of Keras.

Sources: T.-Y. Lin et al., "Focal Loss for Dense Object Detection" (2017); R. Girshick, "Fast R-CNN" (2015), for
smooth L1.
"""

from typing import Any

from unlite.training.lessons.targets import IGNORED

FOCUS = 1.5  # how much less what is right already counts: Lin's gamma, who found 0.5 to 5 to do
SMOOTHED = 0.1
# Pixels of the input from which on a wrong place counts linearly.
BEND = 1.0
# What boxes that are held count beside classes.
HOLD = 10.0


def anchor_classification(y_true: Any, logits: Any, focus: float = FOCUS) -> Any:
    """Focal loss of every class at every anchor, plus cross-entropy between the classes where there is an object.

    The first says where something is and what; the second that it is nothing else, which is what a picture with one
    object and thousands of empty anchors says too quietly. Both are sums over the anchors of a picture, divided by the
    number of anchors that are about an object, at least 1.

    Args:
        y_true: [N, anchors, 1] class numbers; `targets.NOTHING` where there is no object, `targets.IGNORED` where
            nothing is asked.
        logits: [N, anchors, classes], any size: nothing overflows.
        focus: How much less what is right already counts; 1 or more.

    Returns:
        [N].
    """
    from keras import ops

    wanted, objects = _wanted(y_true, logits)
    is_asked = ops.cast(ops.cast(y_true, "int32") > IGNORED, logits.dtype)
    focal = binary_focal(wanted, logits, focus) * is_asked
    return ops.sum(focal, axis=(1, 2)) / objects + class_entropy(y_true, logits)


def class_entropy(y_true: Any, logits: Any) -> Any:
    """Cross-entropy between the classes, where there is an object: whether there is one, others say.

    Args:
        y_true: See `anchor_classification`.
        logits: [N, anchors, classes].

    Returns:
        [N], the sum over anchors, divided by the number of anchors that are about an object, at least 1.
    """
    from keras import ops

    wanted, objects = _wanted(y_true, logits)
    return -ops.sum(wanted * ops.log_softmax(logits, axis=-1), axis=(1, 2)) / objects


def _wanted(y_true: Any, logits: Any) -> tuple[Any, Any]:
    """One where the class of an anchor's object is, [N, anchors, classes], and how many anchors have one, [N]."""
    from keras import ops

    y_true = ops.cast(y_true, "int32")
    # From a comparison: of numbers below zero, `one_hot` makes something else on every back end.
    wanted = ops.cast(y_true == ops.arange(logits.shape[-1]), logits.dtype)
    return wanted, ops.maximum(ops.sum(wanted, axis=(1, 2)), 1.0)


def binary_focal(wanted: Any, logits: Any, focus: float = FOCUS) -> Any:
    """Focal loss, element by element: cross-entropy times how wrong it is to the power of `focus`.

    Args:
        wanted: Probabilities that shall come out, of the same shape; between 0 and 1 as well (a teacher's).
        logits: Any numbers.
        focus: 0 for cross-entropy.
    """
    from keras import ops

    # log(1 + exp(x)) without overflow; the cross-entropy of x with a wanted w is softplus(x) - w x.
    entropy = ops.softplus(logits) - wanted * logits
    if not focus:
        return entropy
    # Where what is wanted is 0 or 1, this is 1 - p_t.
    wrong = ops.sigmoid(logits) * (1 - wanted) + ops.sigmoid(-logits) * wanted
    return entropy * ops.power(wrong, focus)


def held_scores(y_true: Any, logits: Any) -> Any:
    """Cross-entropy with a teacher's probabilities, so that the few anchors that are about an object count.

    Args:
        y_true: [N, anchors, classes]: probabilities.
        logits: [N, anchors, classes].

    Returns:
        [N], the sum over anchors, divided by the sum of the probabilities, at least 1.
    """
    from keras import ops

    entropy = ops.sum(binary_focal(y_true, logits, focus=0), axis=(1, 2))
    return entropy / ops.maximum(ops.sum(y_true, axis=(1, 2)), 1.0)


def given(_: Any, loss: Any) -> Any:
    """What the model has computed itself, [N, 1], as [N]; nothing else is wanted."""
    return loss[:, 0]


def held_boxes(y_true: Any, y_pred: Any) -> Any:
    """`smooth_l1` that outweighs the classes: what is right already shall stay, and they would move it."""
    return HOLD * smooth_l1(y_true, y_pred)


def smooth_l1(y_true: Any, y_pred: Any) -> Any:
    """Distance of regressors, quadratic below a pixel.

    Args:
        y_true: [N, anchors, coordinates + 1]: what shall come out in pixels, and last how much each anchor counts.
        y_pred: [N, anchors, coordinates].

    Returns:
        [N], the mean over coordinates, over the anchors that count.
    """
    from keras import ops

    weights, wanted = y_true[..., -1], y_true[..., :-1]
    apart = ops.abs(wanted - y_pred)
    each = ops.where(apart < BEND, 0.5 * apart * apart / BEND, apart - 0.5 * BEND)
    return ops.sum(ops.mean(each, axis=-1) * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1.0)


def region_entropy(wanted: Any, logits: Any) -> Any:
    """Cross-entropy of regions: [N, 1] classes against logits [N, n].

    A tenth of what is asked for is spread over all classes: a head on good features is soon right about everything that
    it learns from, and would go on to be ever surer of it (measured on photographs: the best of 15 passes was the
    second one without, and the ninth with it).
    """
    from keras import losses, ops

    chosen = ops.one_hot(ops.cast(ops.reshape(wanted, (-1,)), "int32"), logits.shape[-1])
    return losses.categorical_crossentropy(chosen, logits, from_logits=True, label_smoothing=SMOOTHED)
