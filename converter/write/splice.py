"""What a changed model and the file that it came from still have in common, and the rest written anew.

An operator of the file stays if everything that it stands for is in the model, with the same settings. What is left
of the model is emitted as new operators, in the place of what it stands for; a result that takes the place of one
of the file's keeps its name.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.errors import CannotExport
from converter.match.network import Network, Pair
from converter.ops.forms import Emission, Node, Value, emit
from converter.passes.activations import fuse_activations
from converter.tflite.assembly import Assembly
from converter.write.comparison import Comparison
from converter.write.folded import values_of

EARLY = -1  # the place of what has none in the original


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
        self._tensors: dict[Value, int] = {}  # the model's value → where the file has it
        self.originals = list(self.graph.operators)  # by their indices in the original
        self._places = {op: number for number, op in enumerate(self.originals)}

    def splice(self, comparison: Comparison) -> None:
        """Exchange what has changed. Weights of what stays are not touched."""
        theirs = comparison.theirs
        self.graph.operators = [op for number, op in enumerate(self.originals) if number not in comparison.dropped]
        self._take_inputs(comparison)
        for pair in comparison.kept:
            self._take_tensors(pair, theirs)
        free = {v.tensor for node in comparison.ours.nodes for v in node.outputs} - {None, *self._tensors.values()}
        for node in comparison.fresh:
            partner = comparison.partners.get(node)
            if partner and partner.outputs[0].tensor in free and len(partner.outputs) == len(node.outputs):
                self._take_tensors(Pair(partner, node), theirs)
                free -= {value.tensor for value in partner.outputs}
            made = self._emit(node, theirs, partner)
            self._place(made, sorted(comparison.ops_of(partner)) if partner else [])
        for pair in comparison.kept:
            self._rewire(pair, comparison)
        self._order()
        self._give(comparison)
        fuse_activations(self, self._fresh)

    def write_all(self, theirs: Network) -> None:
        """Write a whole model."""
        for end in theirs.inputs:
            self._tensors[end.value] = self.tensor(_with_batch(theirs, end.value), end.name)
        self.graph.inputs = [self._tensors[end.value] for end in theirs.inputs]
        for node in theirs.nodes:
            self.graph.operators += self._emit(node, theirs)
        self.graph.outputs = [self._tensors[end.value] for end in theirs.outputs]
        for end in theirs.outputs:
            self.graph.tensors[self._tensors[end.value]].name = end.name.encode()
        fuse_activations(self)

    def _take_inputs(self, comparison: Comparison) -> None:
        for ends in comparison.matching.inputs:
            if ends.theirs is None:
                raise CannotExport(f"the model does not take {ends.ours.name}")
            self._tensors[ends.theirs.value] = index = int(self.graph.inputs[ends.ours.place])
            if self.graph.tensors[index].shape[0] != 1:
                raise CannotExport(f"the file takes {self.graph.tensors[index].shape[0]} inputs at a time, expected 1")
            self._resize(ends.theirs.value, comparison.theirs)

    def _take_tensors(self, pair: Pair[Node], theirs: Network) -> None:
        """Let the results of a node be in the tensors of its partner, for the same readers."""
        for a, b in zip(pair.ours.outputs, pair.theirs.outputs, strict=True):
            if a.tensor is not None:
                self._tensors[b] = a.tensor
                self._resize(b, theirs)

    def _resize(self, value: Value, theirs: Network) -> None:
        tensor, shape = self.graph.tensors[self._tensors[value]], _with_batch(theirs, value)
        if list(tensor.shape) != shape:
            tensor.shape = shape
            if tensor.shapeSignature is not None:
                tensor.shapeSignature = [
                    -1 if n == -1 else m for n, m in zip(tensor.shapeSignature, shape, strict=True)
                ]

    def _emit(self, node: Node, theirs: Network, partner: Node | None = None) -> list[Any]:
        """The operators of a node, which have no place yet."""
        value = node.outputs[0]
        if value not in self._tensors:
            self._tensors[value] = self.tensor(_with_batch(theirs, value), node.name)
        emission = Emission(
            self,
            node,
            values_of(node),
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
        self._places |= dict(zip(made, instead, strict=True))

    def _order(self) -> None:
        """Put all operators where they belong, but none before its operands."""
        waiting = sorted([*self.graph.operators, *self._fresh], key=lambda op: self._places.get(op, EARLY))
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

    def _rewire(self, pair: Pair[Node], comparison: Comparison) -> None:
        """Let an operator that stays read what the model's layer reads."""
        ours, theirs = pair.ours, pair.theirs
        before = [value.tensor for value in ours.inputs if value.tensor is not None]
        after = [self._tensors[value] for value in theirs.inputs if value in self._tensors]
        if ours.is_commutative:  # what both have stays where it is
            common = Counter(before) & Counter(after)
            before, after = (list((Counter(values) - common).elements()) for values in (before, after))
        if len(before) != len(after):
            raise CannotExport(f"{theirs.name}: its operands have no place in the file's {ours.origin.op}")
        moved = dict(zip(before, after, strict=True))
        for number in comparison.ops_of(ours):
            op = self.originals[number]
            op.inputs = np.array([moved.get(int(index), int(index)) for index in op.inputs], np.int32)

    def _give(self, comparison: Comparison) -> None:
        outputs = []
        for ends in comparison.matching.outputs:
            if ends.theirs is None:
                raise CannotExport(f"the model does not give {ends.ours.name}")
            outputs.append(self._tensors[ends.theirs.value])
        taken = {ends.theirs for ends in comparison.matching.outputs}
        for end in comparison.theirs.outputs:
            if end not in taken:
                outputs.append(self._tensors[end.value])
                self.graph.tensors[outputs[-1]].name = end.name.encode()
                for signature in self.model.signatureDefs or []:
                    signature.outputs.append(self._named(end.name, outputs[-1]))
        self.graph.outputs = np.array(outputs, np.int32)

    def _named(self, name: str, index: int) -> Any:
        entry = self.schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        return entry


def _with_batch(network: Network, value: Value) -> list[int]:
    return [1, *(int(n or 0) for n in network.shapes[value])]
