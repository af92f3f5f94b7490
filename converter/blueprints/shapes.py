"""Do a model's layers give the shapes that its file declares? What Keras would find while building, known before."""

from converter.blueprints.specs import Blueprint, LayerSpec
from converter.errors import ShapeDisagreement
from converter.ops import records
from converter.ops.forms import Shape, Value


def check_shapes(plan: Blueprint) -> None:
    """Check every layer of a blueprint against the extents of its results.

    Raises:
        ShapeDisagreement: A layer gives another shape than the file declares, or cannot take its operands.
    """
    for spec in plan.specs:
        try:
            made = records.layer(spec.layer).shapes(spec.config, [plan.shapes[value] for value in spec.inputs])
        except ValueError as error:
            raise ShapeDisagreement(f"{spec.op}: layer {spec.name!r}: {error}") from None
        for value, shape in zip(spec.outputs, made, strict=True):
            _check(value, shape, spec, plan)


def _check(value: Value, shape: Shape, spec: LayerSpec, plan: Blueprint) -> None:
    if tuple(shape) == plan.shapes[value] and (value.tensor is None or plan.graph.tensors[value.tensor].shape):
        return
    declared = f"the next layer needs {(None, *plan.shapes[value])}"
    if value.tensor is not None:
        tensor = plan.graph.tensors[value.tensor]
        declared = f"the file declares {tensor.shape} for {tensor}"
    raise ShapeDisagreement(
        f"{spec.op}: layer {spec.name!r} gives {(None, *shape)}, but {declared}",
        hint="the file contradicts itself, or unlite misreads it: please report it with `unlite inspect --json`",
    )
