"""Values have the names that saved traces know them by; nodes and slots stand for themselves."""

import pytest

from converter.ops.forms import Node, Slot, Value


@pytest.mark.parametrize(
    ("value", "text", "tensor"),
    [
        (Value(37), "37", 37),
        (Value(37).inner("conv"), "37:conv", None),
        (Value(5, "0").inner("conv"), "5:0:conv", None),
        (Value("output", "1"), "output:1", None),
        (Value("relu:0"), "relu:0", None),
    ],
)
def test_value(value: Value, text: str, tensor: int | None) -> None:
    assert str(value) == text
    assert value.tensor == tensor
    assert value == Value(value.key, value.stage)
    assert sorted([Value("z"), value])[1] == Value("z")


def test_nodes_and_slots_are_equal_only_to_themselves() -> None:
    nodes = [Node("conv", "conv", {}, {"kernel": Slot((1,), [])}, (), ()) for _ in range(2)]
    assert len({*nodes, *nodes}) == 2
    assert len({slot for node in nodes for slot in node.weights.values()}) == 2
