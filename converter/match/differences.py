"""How two nodes differ by themselves: their kinds, settings and the shapes of their weights."""

from collections.abc import Iterator
from typing import Any

from converter.ops.forms import Node

# Settings that no Keras user wrote in this form, explained.
UNITS = {"padding": "pixels (top, bottom), (left, right)", "cropping": "pixels (top, bottom), (left, right)"}
# What decides how many pixels `same` padding adds.
WINDOW = ("kernel_size", "pool_size", "strides", "dilation_rate")
# What is there on one side only by design: a batch normalization that the file has folded away.
OWN = ("batch_norm", "epsilon")


def settings(ours: Node, theirs: Node) -> Iterator[str]:
    """How two nodes differ by themselves, without the layer's name."""
    if ours.kind != theirs.kind:
        yield f"it is {_article(describe(theirs))}, the file has {_article(describe(ours))}"
    else:
        for name in dict.fromkeys((*ours.config, *theirs.config)):
            left, right = ours.config.get(name), theirs.config.get(name)
            if name not in OWN and left != right and not _is_moot(name, ours, theirs):
                unit = f" {UNITS[name]}" if name in UNITS else ""
                yield f"{name} is {_show(right)}, the file has {_show(left)}{unit}"
    for name in (name for name in ours.weights if name in theirs.weights):
        left_shape, right_shape = ours.weights[name].shape, theirs.weights[name].shape
        if left_shape != right_shape:
            yield f"{name} has shape {right_shape}, the file has {left_shape}"


def _is_moot(name: str, ours: Node, theirs: Node) -> bool:
    """Whether a setting follows from another one.

    `same` padding comes to other pixels with another window. A PReLU over axes of extent 1 may share them or not:
    the shape of alpha says what counts.
    """
    if name == "padding":
        return any(ours.config.get(cause) != theirs.config.get(cause) for cause in WINDOW)
    return name == "shared_axes" and ours.weights["alpha"].shape == theirs.weights["alpha"].shape


def _show(value: Any) -> str:
    return "none" if value is None else str(value)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def describe(node: Node) -> str:
    """What a node is, in words."""
    if node.kind == "activation":
        return str(node.config["function"])
    module, _, name = node.kind.rpartition(".")  # somebody's own class has its module
    return name if module else name.replace("_", " ")
