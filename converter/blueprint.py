"""The one idea: what every operator means in Keras, as plain data.

`blueprint(graph)` asks `converter.ops` for each operator's layers. Everything else (rebuilding, and later
matching, auditing and writing back) reads the result. Neither Keras nor numpy is imported here.
"""

from collections.abc import Iterator, Mapping

from converter.errors import UnsupportedModel, UnsupportedOp
from converter.graph import Graph, Op
from converter.naming import Namer, safe
from converter.ops import OPS, OpView
from converter.passes import fold_storage
from converter.specs import Blueprint, LayerSpec, Ref, Step


def lower(op: Op, graph: Graph) -> list[Step]:
    """The Keras layers of one operator, as a chain.

    Args:
        op: An operator of `graph`.
        graph: The graph after `fold_storage`.

    Raises:
        UnsupportedOp: There is no Keras equivalent; the message says of what and why.
    """
    view = OpView(op, graph)
    if op.kind not in OPS:
        what = "custom op" if op.is_custom else "op"
        raise UnsupportedOp(f"{op}: this {what} has no Keras equivalent here")
    for index in (*op.inputs, *op.outputs):
        tensor = graph.tensors[index] if index is not None else None
        if tensor and tensor.storage is None and tensor.dtype != "FLOAT32":
            raise view.unsupported(f"{tensor} is {tensor.dtype}; only float32 graphs can be trained")
    return OPS[op.kind](view)


def survey(graph: Graph) -> list[UnsupportedOp]:
    """Why `graph` cannot be converted: one error per operator that has no Keras equivalent."""
    problems = []
    graph = fold_storage(graph)
    for op in graph.ops:
        try:
            lower(op, graph)
        except UnsupportedOp as error:
            problems.append(error)
    return problems


def blueprint(graph: Graph, name: str = "model") -> Blueprint:
    """Say what every operator of `graph` is in Keras.

    Args:
        graph: As read from the file.
        name: What the Keras model will be called.

    Raises:
        UnsupportedOp: At least one operator has no Keras equivalent; all of them are listed.
        UnsupportedModel: An input has no batch axis or is not float32, or an output is a constant.
    """
    _check_ends(graph)
    problems = survey(graph)
    if problems:
        hint = f"`unlite inspect` lists what a model needs; known here: {', '.join(sorted(OPS))}"
        raise UnsupportedOp("\n".join(str(problem) for problem in problems), hint)
    graph = fold_storage(graph)
    namer = Namer(graph, name)
    inputs = {namer.input(graph.tensors[index].name): index for index in graph.inputs}
    specs = [spec for op in graph.ops for spec in _specs(op, graph, namer)]
    outputs, identities = _outputs(graph, specs, namer)
    return Blueprint(namer.model, graph, tuple(_used([*specs, *identities], outputs)), inputs, outputs)


def _check_ends(graph: Graph) -> None:
    for tensor in (graph.tensors[index] for index in graph.inputs):
        if not tensor.shape:
            raise UnsupportedModel(f"input {tensor} is a scalar: there is no batch axis to leave free")
        if tensor.dtype != "FLOAT32":
            raise UnsupportedModel(
                f"input {tensor} is {tensor.dtype}; only float32 graphs can be trained",
                hint="use the float (or float16) version of the model, not the quantized one",
            )
    for tensor in (graph.tensors[index] for index in graph.outputs):
        if tensor.storage:
            raise UnsupportedModel(f"output {tensor} is a constant: no layer computes it")


def _specs(op: Op, graph: Graph, namer: Namer) -> Iterator[LayerSpec]:
    steps = lower(op, graph)
    previous: Ref = ""
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        if step.inputs:
            inputs = tuple(previous if ref is None else ref for ref in step.inputs)
        elif number:
            inputs = (previous,)
        else:
            inputs = tuple(i for i in op.inputs if i is not None and graph.tensors[i].storage is None)
        outputs: tuple[Ref, ...] = op.outputs if is_last else (f"{op.index}:{number}",)
        kernel = graph.tensors[step.weights["kernel"].tensor].name if "kernel" in step.weights else None
        name = namer.layer(step.layer, kernel, graph.tensors[op.outputs[0]].name, is_last=is_last)
        yield LayerSpec(name, step.layer, step.config, step.weights, inputs, outputs, op)
        previous = outputs[0]


def _outputs(graph: Graph, specs: list[LayerSpec], namer: Namer) -> tuple[dict[str, Ref], list[LayerSpec]]:
    """Keras names a model's outputs after the layers that give them: where those differ, add an `Identity`."""
    last = {spec.outputs[0]: spec for spec in specs if len(spec.outputs) == 1}
    outputs: dict[str, Ref] = {}
    identities = []
    for position, index in enumerate(graph.outputs):
        made_by = last.get(index)
        if made_by and made_by.name == safe(graph.tensors[index].name) and made_by.name not in outputs:
            outputs[made_by.name] = index
            continue
        name, ref = namer.output(graph.tensors[index].name), f"output:{position}"
        op = made_by.op if made_by else Op(-1, "IDENTITY", (index,), (index,), {})
        identities.append(LayerSpec(name, "Identity", {}, {}, (index,), (ref,), op))
        outputs[name] = ref
    return outputs, identities


def _used(specs: list[LayerSpec], outputs: Mapping[str, Ref]) -> list[LayerSpec]:
    """Drop layers that no output depends on: Keras would leave them out as well."""
    needed = set(outputs.values())
    kept = []
    for spec in reversed(specs):
        if needed.intersection(spec.outputs):
            needed.update(spec.inputs)
            kept.append(spec)
    return kept[::-1]
