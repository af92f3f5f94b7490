"""The one idea: what every operator means in Keras, as plain data.

`blueprint(graph)` asks `converter.ops` for each operator's layers. Everything else (rebuilding, and later
matching, auditing and writing back) reads the result. Neither Keras nor numpy is imported here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from converter.blueprints.naming import Namer, safe
from converter.blueprints.shapes import check_shapes
from converter.blueprints.specs import Blueprint, LayerSpec
from converter.errors import MalformedModel, UnsupportedModel, UnsupportedOp
from converter.ops import OPERATORS, records
from converter.ops.forms import OpView, Step, Value
from converter.passes.storage import fold_storage
from converter.tflite.model import Graph, Op

# What operators may read: weights, and integers that say how (shapes, axes, paddings).
CONSTANT_TYPES = ("FLOAT32", "INT32", "INT64")


def lower(op: Op, graph: Graph) -> list[Step]:
    """The Keras layers of one operator, as a chain.

    Args:
        op: An operator of `graph`.
        graph: The graph after `fold_storage`.

    Raises:
        UnsupportedOp: There is no Keras equivalent; the message says of what and why.
        MalformedModel: The operator contradicts itself.
    """
    view = OpView(op, graph)
    known = records.operator(op.kind).lower
    if known is None:
        raise view.unsupported(f"this {'custom ' * op.is_custom}op has no Keras equivalent here")
    if not op.inputs or len(op.outputs) != records.operator(op.kind).results:
        raise MalformedModel(f"{op} has {len(op.inputs)} inputs and {len(op.outputs)} outputs")
    for tensor in (graph.tensors[index] for index in (*op.inputs, *op.outputs) if index is not None):
        if tensor.dtype != "FLOAT32" and (tensor.storage is None or tensor.dtype not in CONSTANT_TYPES):
            raise view.unsupported(f"{tensor} is {tensor.dtype}; only float32 graphs can be trained")
    return known(view)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A graph with every operator asked what it is.

    Attributes:
        graph: After `fold_storage`.
        steps: Index of an operator → its Keras layers.
        problems: One per operator that no Keras layer stands for.
    """

    graph: Graph
    steps: Mapping[int, list[Step]]
    problems: tuple[UnsupportedOp | MalformedModel, ...]


def lower_all(graph: Graph) -> Lowered:
    """Ask every operator of a graph as read; never fails because of one."""
    graph = fold_storage(graph)
    steps: dict[int, list[Step]] = {}
    problems: list[UnsupportedOp | MalformedModel] = []
    for op in graph.ops:
        try:
            steps[op.index] = lower(op, graph)
        except (UnsupportedOp, MalformedModel) as error:
            problems.append(error)
    return Lowered(graph, steps, tuple(problems))


def blueprint(graph: Graph | Lowered, name: str = "model") -> Blueprint:
    """Say what every operator of `graph` is in Keras.

    Args:
        graph: As read from the file, or what `lower_all` made of it.
        name: What the Keras model will be called.

    Raises:
        UnsupportedOp: At least one operator has no Keras equivalent; all of them are listed.
        UnsupportedModel: Its inputs or outputs are nothing that a Keras model can have.
        MalformedModel: An operator contradicts itself.
        ShapeDisagreement: A layer gives another shape than the file declares.
    """
    lowered = graph if isinstance(graph, Lowered) else lower_all(graph)
    graph = lowered.graph
    _check_ends(graph)
    for problem in lowered.problems:
        if isinstance(problem, MalformedModel):
            raise problem
    if lowered.problems:
        known = ", ".join(sorted(name for name, op in OPERATORS.items() if op.lower))
        hint = f"`unlite inspect` lists what a model needs; known here: {known}"
        raise UnsupportedOp("\n".join(str(problem) for problem in lowered.problems), hint)
    namer = Namer(graph, name)
    inputs = {namer.input(graph.tensors[index].name): index for index in graph.inputs}
    specs = [spec for op in graph.ops for spec in _specs(op, lowered.steps[op.index], graph, namer)]
    outputs, identities = _outputs(graph, specs, namer)
    used = _used([*specs, *identities], outputs)
    _check_operands(used, graph)
    shapes = dict(_shapes(lowered))
    shapes |= {spec.outputs[0]: shapes[spec.inputs[0]] for spec in identities}
    plan = Blueprint(namer.model, graph, tuple(used), inputs, outputs, shapes)
    check_shapes(plan)
    return plan


def _check_ends(graph: Graph) -> None:
    if not graph.outputs or len(set(graph.inputs)) < len(graph.inputs):
        raise UnsupportedModel("it has no outputs, or the same input twice")
    for tensor in (graph.tensors[index] for index in graph.inputs):
        if not tensor.shape or tensor.storage:
            what = "constant" if tensor.storage else "scalar without a batch axis"
            raise UnsupportedModel(f"input {tensor} is a {what}")
        if tensor.dtype != "FLOAT32":
            raise UnsupportedModel(
                f"input {tensor} is {tensor.dtype}; only float32 graphs can be trained",
                hint="use the float (or float16) version of the model, not the quantized one",
            )
        if -1 in tensor.shape_signature[1:]:
            raise UnsupportedModel(
                f"input {tensor} leaves more axes free than the batch: {tensor.shape_signature}",
                hint="export the model with a fixed input size",
            )
    for tensor in (graph.tensors[index] for index in graph.outputs):
        if tensor.storage:
            raise UnsupportedModel(f"output {tensor} is a constant: no layer computes it")


def _check_operands(specs: list[LayerSpec], graph: Graph) -> None:
    made = {Value(index) for index in graph.inputs}
    for spec in specs:
        for value in spec.inputs:
            if value not in made:
                what = value if value.tensor is None else graph.tensors[value.tensor]
                raise UnsupportedModel(f"{spec.op} reads {what}, which no layer computes (state, or no elements)")
        made.update(spec.outputs)


def _specs(op: Op, steps: list[Step], graph: Graph, namer: Namer) -> Iterator[LayerSpec]:
    previous = Value(op.index)
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        if step.inputs:
            inputs = tuple(previous if index is None else Value(index) for index in step.inputs)
        elif number:
            inputs = (previous,)
        else:
            inputs = tuple(Value(i) for i in op.inputs if i is not None and graph.tensors[i].storage is None)
        outputs = tuple(map(Value, op.outputs)) if is_last else (Value(op.index, str(number)),)
        kernel = graph.tensors[step.weights["kernel"].tensor].name if "kernel" in step.weights else None
        name = namer.layer(step.layer, kernel, graph.tensors[op.outputs[0]].name, is_last=is_last)
        yield LayerSpec(name, step.layer, step.config, step.weights, inputs, outputs, op)
        previous = outputs[0]


def _shapes(lowered: Lowered) -> Iterator[tuple[Value, tuple[int, ...]]]:
    """Extents of all values, those between the layers of one operator included."""
    for tensor in lowered.graph.tensors:
        if tensor.storage is None:
            yield Value(tensor.index), tensor.shape[1:]
    for op in lowered.graph.ops:
        for number, step in enumerate(lowered.steps[op.index][:-1]):
            shape = lowered.graph.tensors[op.outputs[0]].shape[1:] if step.shape is None else step.shape
            yield Value(op.index, str(number)), shape


def _outputs(graph: Graph, specs: list[LayerSpec], namer: Namer) -> tuple[dict[str, Value], list[LayerSpec]]:
    """Keras names a model's outputs after the layers that give them: where those differ, add an `Identity`."""
    last = {spec.outputs[0]: spec for spec in specs if len(spec.outputs) == 1}
    outputs: dict[str, Value] = {}
    identities = []
    for position, index in enumerate(graph.outputs):
        value = Value(index)
        made_by = last.get(value)
        if made_by and made_by.name == safe(graph.tensors[index].name) and made_by.name not in outputs:
            outputs[made_by.name] = value
            continue
        name, named = namer.output(graph.tensors[index].name), Value("output", str(position))
        op = made_by.op if made_by else Op(-1, "IDENTITY", (index,), (index,), {})
        identities.append(LayerSpec(name, "Identity", {}, {}, (value,), (named,), op))
        outputs[name] = named
    return outputs, identities


def _used(specs: list[LayerSpec], outputs: Mapping[str, Value]) -> list[LayerSpec]:
    """Drop layers that no output depends on: Keras would leave them out as well."""
    needed = set(outputs.values())
    kept = []
    for spec in reversed(specs):
        if needed.intersection(spec.outputs):
            needed.update(spec.inputs)
            kept.append(spec)
    return kept[::-1]
