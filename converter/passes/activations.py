"""Fused activations as operators of their own, and back."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from converter.ops import records
from converter.tflite.edit import Editable


def split_activations(data: memoryview | bytes) -> tuple[bytes, dict[int, int]]:
    """Make every fused activation an operator of its own, so that what lies before it can be read.

    The computation stays the same: a kernel applies its activation to each finished sum.

    Returns:
        The file, and for each operator that was split: its index in the old file → the new tensor's index.
    """
    import copy

    file = Editable(memoryview(data))
    names = file.schema
    kinds = {function: kind for kind, function in _functions(names).items()}
    codes: dict[int, int] = {}
    operators, split = [], {}
    for number, op in enumerate(file.graph.operators):
        operators.append(op)
        fused = getattr(op.builtinOptions, "fusedActivationFunction", 0)
        if fused not in kinds:
            continue
        if fused not in codes:
            code = names.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = kinds[fused]
            code.version = 1
            file.model.operatorCodes.append(code)
            codes[fused] = len(file.model.operatorCodes) - 1
        before = copy.copy(file.graph.tensors[op.outputs[0]])
        before.name += b" before its activation"
        file.graph.tensors.append(before)
        activation = names.OperatorT()
        activation.opcodeIndex = codes[fused]
        activation.inputs, activation.outputs = [len(file.graph.tensors) - 1], list(op.outputs)
        op.builtinOptions.fusedActivationFunction = names.ActivationFunctionType.NONE
        op.outputs = activation.inputs
        operators.append(activation)
        split[number] = activation.inputs[0]
    file.graph.operators = operators
    return file.pack(), split


def fuse_activations(file: Editable, among: Sequence[Any] | None = None) -> None:
    """Make an activation part of the operator before it, if that can have one and nobody else reads its result.

    The opposite of `split_activations`: the computation stays the same.

    Args:
        file: To be changed.
        among: The activations to look at; default: all.
    """
    names = file.schema
    functions = _functions(names)
    fusing = {getattr(names.BuiltinOperator, op.name) for op in records.OPERATORS.values() if op.takes_activation}
    wanted = set(file.graph.operators if among is None else among)
    reads = Counter(int(index) for op in file.graph.operators for index in {*op.inputs})
    reads.update(map(int, file.graph.outputs))
    producers: dict[int, Any] = {int(index): op for op in file.graph.operators for index in op.outputs}
    kept = []
    for op in file.graph.operators:
        source = int(op.inputs[0]) if len(op.inputs) else -1
        function, before = functions.get(file.builtin_kind(op)), producers.get(source)
        if (
            function is not None
            and op in wanted
            and reads[source] == 1
            and before
            and file.builtin_kind(before) in fusing
            and before.builtinOptions.fusedActivationFunction == names.ActivationFunctionType.NONE
        ):
            before.builtinOptions.fusedActivationFunction = function
            before.outputs = op.outputs
            producers[int(op.outputs[0])] = before
        else:
            kept.append(op)
    file.graph.operators = kept


def _functions(names: Any) -> dict[int, int]:
    """Number of the operator → number of the same activation, fused."""
    fused = [op.name for op in records.OPERATORS.values() if op.fused_as]
    return {getattr(names.BuiltinOperator, name): getattr(names.ActivationFunctionType, name) for name in fused}
