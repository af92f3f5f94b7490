"""What a changed model and the file that it came from still have in common, and the rest written anew.

An operator of the file stays if everything that it stands for is in the model, with the same settings. What is left
of the model is emitted as new operators, in the place of what it stands for; a result that takes the place of one
of the file's keeps its name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import CannotExport
from converter.match.network import Network
from converter.ops.forms.emission import Emission, emit
from converter.ops.node import Node, Ref
from converter.passes.activations import fuse_relus
from converter.tflite.assembly import Assembly
from converter.write.comparison import Comparison

EARLY = -1  # the place of what has none in the original
# Weights of a node of the model, in Keras's axis order.
Values = Callable[[Node], Mapping[str, NDArray[np.float32]]]


class Splicing(Assembly):
    """The file with what is fresh in it.

    Args:
        data: The file; None for a model without one.
        dtype: numpy's type for new weights.
    """

    def __init__(self, data: memoryview | None, dtype: Any) -> None:
        super().__init__(data)
        self._dtype = dtype
        self._fresh: list[Any] = []
        self._given: set[int] = set()  # constants that new operators have taken over
        self._tensors: dict[Ref, int] = {}  # the model's value → where the file has it
        self.originals = list(self.graph.operators)  # by their indices in the original
        self._places = {id(op): number for number, op in enumerate(self.originals)}

    def splice(self, comparison: Comparison, values: Values) -> None:
        """Exchange what has changed. Weights of what stays are not touched."""
        theirs = comparison.theirs
        self.graph.operators = [op for number, op in enumerate(self.originals) if number not in comparison.dropped]
        self._take_inputs(comparison)
        for ours, node in comparison.kept:
            self._take_tensors(node, ours, theirs)
        free = {v for node in comparison.ours.nodes for v in node.outputs} - set(self._tensors.values())
        for node in comparison.fresh:
            partner = comparison.partners.get(id(node))
            if partner and partner.outputs[0] in free and len(partner.outputs) == len(node.outputs):
                self._take_tensors(node, partner, theirs)
                free -= set(partner.outputs)
            made = self._emit(node, theirs, values, partner)
            self._place(made, sorted(comparison.ops_of(partner)) if partner else [])
        for ours, node in comparison.kept:
            self._rewire(ours, node, comparison)
        self._order()
        self._give(comparison)
        fuse_relus(self, self._fresh)

    def write_all(self, theirs: Network, values: Values) -> None:
        """Write a whole model."""
        for name, value in theirs.inputs.items():
            self._tensors[value] = self.tensor(_with_batch(theirs, value), name)
        self.graph.inputs = [self._tensors[value] for value in theirs.inputs.values()]
        for node in theirs.nodes:
            self.graph.operators += self._emit(node, theirs, values)
        self.graph.outputs = [self._tensors[value] for _, value in theirs.outputs]
        for (name, _), index in zip(theirs.outputs, self.graph.outputs, strict=True):
            self.graph.tensors[index].name = name.encode()
        fuse_relus(self)

    def _take_inputs(self, comparison: Comparison) -> None:
        theirs = list(comparison.theirs.inputs.values())
        for i, j in comparison.matching.inputs:
            if j is None:
                raise CannotExport(f"the model does not take {list(comparison.ours.inputs)[i]}")
            self._tensors[theirs[j]] = index = int(self.graph.inputs[i])
            if self.graph.tensors[index].shape[0] != 1:
                raise CannotExport(f"the file takes {self.graph.tensors[index].shape[0]} inputs at a time, expected 1")
            self._resize(theirs[j], comparison.theirs)

    def _take_tensors(self, node: Node, partner: Node, theirs: Network) -> None:
        """Let the results of a node be in the tensors of its partner, for the same readers."""
        for a, b in zip(partner.outputs, node.outputs, strict=True):
            if isinstance(a, int):
                self._tensors[b] = a
                self._resize(b, theirs)

    def _resize(self, value: Ref, theirs: Network) -> None:
        tensor, shape = self.graph.tensors[self._tensors[value]], _with_batch(theirs, value)
        if list(tensor.shape) != shape:
            tensor.shape = shape
            if tensor.shapeSignature is not None:
                tensor.shapeSignature = [
                    -1 if n == -1 else m for n, m in zip(tensor.shapeSignature, shape, strict=True)
                ]

    def _emit(self, node: Node, theirs: Network, values: Values, partner: Node | None = None) -> list[Any]:
        """The operators of a node, which have no place yet."""
        value = node.outputs[0]
        if value not in self._tensors:
            self._tensors[value] = self.tensor(_with_batch(theirs, value), node.name)
        emission = Emission(
            self,
            node,
            values(node),
            [self._tensors[operand] for operand in node.inputs],
            self._tensors[value],
            [theirs.shapes[operand] for operand in node.inputs],
            theirs.shapes[value],
            self._dtype,
            self._free_constants(partner) if partner else {},
        )
        return emit(emission)

    def _place(self, made: Sequence[Any], instead: Sequence[int]) -> None:
        """Say where new operators belong: where those were that they replace, or else as early as possible."""
        self._fresh += made
        if len(instead) == len(made):
            for op, number in zip(made, instead, strict=True):
                new, old = (self.graph.tensors[int(each.outputs[0])] for each in (op, self.originals[number]))
                new.name = old.name
        else:
            instead = [instead[0] if instead else EARLY] * len(made)
        self._places |= {id(op): number for op, number in zip(made, instead, strict=True)}

    def _order(self) -> None:
        """Put all operators where they belong, but none before its operands."""
        waiting = sorted([*self.graph.operators, *self._fresh], key=lambda op: self._places.get(id(op), EARLY))
        self.graph.operators = []
        to_come = Counter(int(index) for op in waiting for index in op.outputs)
        while waiting:
            place = next(n for n, op in enumerate(waiting) if not any(to_come[int(index)] for index in op.inputs))
            self.graph.operators.append(waiting.pop(place))
            to_come.subtract(map(int, self.graph.operators[-1].outputs))
        for op in self.graph.operators:
            for index in map(int, op.inputs):
                if index >= 0 and index not in to_come and not self._is_given(index):
                    name = self.graph.tensors[index].name.decode(errors="replace")
                    raise CannotExport(f"{self.kind(op)} would read {name!r}, which nothing computes any more")

    def _is_given(self, index: int) -> bool:
        """Whether a tensor is an input, a constant, or state."""
        tensor = self.graph.tensors[index]
        has_data = self.model.buffers[tensor.buffer].data is not None or 0 in tensor.shape
        return index in self.graph.inputs or has_data or bool(tensor.isVariable)

    def _free_constants(self, partner: Node) -> dict[str, int]:
        """Attribute → the constant that only what is replaced has read, each given away once."""
        weights = {attribute: slot.holder.tensor for attribute, slot in partner.weights.items()}
        free = {name: index for name, index in weights.items() if self.is_free(index) and index not in self._given}
        self._given |= set(free.values())
        return free

    def _rewire(self, ours: Node, node: Node, comparison: Comparison) -> None:
        """Let an operator that stays read what the model's layer reads."""
        before = [value for value in ours.inputs if isinstance(value, int)]
        after = [self._tensors[value] for value in node.inputs if value in self._tensors]
        if ours.is_commutative:  # what both have stays where it is
            common = Counter(before) & Counter(after)
            before, after = (list((Counter(values) - common).elements()) for values in (before, after))
        if len(before) != len(after):
            raise CannotExport(f"{node.name}: its operands have no place in the file's {ours.origin.op}")
        moved = dict(zip(before, after, strict=True))
        for number in comparison.ops_of(ours):
            op = self.originals[number]
            op.inputs = np.array([moved.get(int(index), int(index)) for index in op.inputs], np.int32)

    def _give(self, comparison: Comparison) -> None:
        theirs, outputs = comparison.theirs.outputs, []
        for i, j in comparison.matching.outputs:
            if j is None:
                raise CannotExport(f"the model does not give {comparison.ours.outputs[i][0]}")
            outputs.append(self._tensors[theirs[j][1]])
        taken = {j for _, j in comparison.matching.outputs}
        for j, (name, value) in enumerate(theirs):
            if j not in taken:
                outputs.append(self._tensors[value])
                self.graph.tensors[outputs[-1]].name = name.encode()
                for signature in self.model.signatureDefs or []:
                    signature.outputs.append(self._named(name, outputs[-1]))
        self.graph.outputs = np.array(outputs, np.int32)

    def _named(self, name: str, index: int) -> Any:
        entry = self.schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        return entry


def _with_batch(network: Network, value: Ref) -> list[int]:
    return [1, *(int(n or 0) for n in network.shapes[value])]
