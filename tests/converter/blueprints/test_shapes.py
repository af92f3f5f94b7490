"""What Keras would refuse while building is refused before, with the layer's name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import converter
from converter.blueprints import build
from converter.blueprints.shapes import check_shapes
from converter.blueprints.specs import Blueprint
from converter.errors import ShapeDisagreement, UnliteError
from converter.ops import LAYERS
from converter.rebuild.model import rebuild
from converter.tflite.model import Graph
from fixtures.builder import Builder
from tests.converter.ops.cases import CASES
from tests.tools.models import NAMES, most_in_parity, original, shared

pytestmark = pytest.mark.one_setting


def unchecked(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Blueprint | None:
    """A blueprint, whether its shapes fit or not."""
    with monkeypatch.context() as patched:
        patched.setattr(build, "check_shapes", lambda _: None)
        try:
            return converter.blueprint(graph)
        except UnliteError:
            return None


def changed(graph: Graph, rng: np.random.Generator) -> Graph:
    """The graph with another extent somewhere."""
    tensors = list(graph.tensors)
    index = int(rng.choice([tensor.index for tensor in tensors if len(tensor.shape) > 1 and not tensor.storage]))
    shape = list(tensors[index].shape)
    axis = int(rng.integers(1, len(shape)))
    shape[axis] = int(rng.choice([max(0, shape[axis] - 1), shape[axis] + 1, 0, 1, 2, 3, 7]))
    tensors[index] = replace(tensors[index], shape=tuple(shape), shape_signature=tuple(shape))
    return replace(graph, tensors=tuple(tensors))


def shapes_in_keras(plan: Blueprint) -> list[tuple[Any, ...]] | None:
    """What each layer gives in Keras; None where one is refused."""
    try:
        model = rebuild(plan)
    except UnliteError:
        return None
    outputs = [model.get_layer(spec.name).output for spec in plan.specs]
    return [tuple(x.shape[1:]) for out in outputs for x in (out if isinstance(out, (list, tuple)) else [out])]


@pytest.mark.parametrize("kind", CASES)
def test_whatever_keras_refuses_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, refused = np.random.default_rng(0), 0
    for case in [*CASES[kind]] * 2:
        plan = unchecked(changed(converter.read(case.data).graph, rng), monkeypatch)
        if plan is None:  # the operator itself was refused
            continue
        try:
            check_shapes(plan)
        except ShapeDisagreement:
            refused += 1
            continue
        declared = [plan.shapes[value] for spec in plan.specs for value in spec.outputs]
        assert shapes_in_keras(plan) == declared, case.name
    assert refused or kind in ("RESHAPE", "FULLY_CONNECTED"), "nothing was refused"  # those check it when read


@pytest.mark.parametrize("name", most_in_parity(NAMES))
def test_models(name: str) -> None:
    plan = converter.blueprint(original(name).graph)
    model = shared(name)
    for spec in plan.specs:
        output = model.get_layer(spec.name).output
        shapes = [tuple(x.shape[1:]) for x in (output if isinstance(output, (list, tuple)) else [output])]
        made = LAYERS[spec.layer].shapes(spec.config, [plan.shapes[value] for value in spec.inputs])
        assert [*map(tuple, made)] == shapes, spec.name


def test_the_message_names_operator_layer_and_tensor() -> None:
    graph = Builder()
    x = graph.input((1, 4, 4, 2))
    (end,) = graph.op("TANH", [x], [(1, 4, 4, 3)])
    with pytest.raises(ShapeDisagreement, match=r"#0 TANH: layer '.*' gives \(None, 4, 4, 2\), but the file declares"):
        converter.blueprint(converter.read(graph.build([end])).graph)
