"""Every operator against LiteRT's own kernel, in every variant that `cases` has; and there and back again."""

import numpy as np
import pytest

import converter
from converter.errors import MalformedModel, UnsupportedOp
from converter.match.audit import audit
from converter.match.canonical import network_of_blueprint
from converter.match.matching import match
from converter.match.trace import keras_network
from converter.ops import KINDS, OPERATORS, records
from converter.ops.records import Kind, Layer, Operator, record
from converter.write.writer import write
from fixtures.builder import Builder, one
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT, keras_runner
from tests.converter.ops.cases import CASES, Case

# Both sum the same float32 products in another order: 16 roundings of the largest value.
TOLERANCE = 16 * np.finfo(np.float32).eps
BOTH_WAYS = sorted(name for name, operator in OPERATORS.items() if not operator.one_way)


def test_every_operator_has_a_case() -> None:
    """The cases of custom operators are MediaPipe's: see `test_custom_ops`."""
    assert set(CASES) == {name for name, operator in OPERATORS.items() if operator.lower and name == name.upper()}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{kind}-{case.name}") for kind, cases in CASES.items() for case in cases]
)
def test_agrees_with_litert(case: Case) -> None:
    model = converter.read(case.data)
    inputs = seeded_inputs(model.graph, seeds=1)
    litert = LiteRT(case.data, "plain")
    wanted = [litert.run(values)[0] for values in inputs]
    # Two at once: the batch axis has to be free.
    (got,) = keras_runner(converter.convert(model))([np.concatenate(values) for values in zip(*inputs, strict=True)])
    assert got.shape == (len(inputs), *wanted[0].shape[1:])
    np.testing.assert_allclose(got, np.concatenate(wanted), rtol=0, atol=TOLERANCE * max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_there_and_back(name: str) -> None:
    """A file becomes Keras and a file again, without the first: all are the same steps, and compute the same."""
    written = set()
    for case in CASES[name]:
        model = converter.read(case.data)
        rebuilt = converter.convert(model)
        back = converter.read(write(None, rebuilt))
        written |= {name for op in back.graph.ops for name in (op.kind, op.options.get("fused_activation_function"))}
        ours, again = (network_of_blueprint(converter.blueprint(each.graph)) for each in (model, back))
        for theirs in (keras_network(rebuilt).network, again):
            assert [finding.message for finding in audit(ours, theirs, match(ours, theirs))] == [], case.name
        for values in seeded_inputs(model.graph, seeds=1):
            (wanted,), (got,) = (LiteRT(each.data, "plain").run(values) for each in (model, back))
            atol = TOLERANCE * max(1, np.abs(wanted).max())
            np.testing.assert_allclose(got, wanted, rtol=0, atol=atol, err_msg=case.name)
    assert name in written


def test_what_is_read_and_written_is_not_called_one_way() -> None:
    """The others are custom, and stay where a file has them, or are known for one thing only."""
    one_way = {name for name, operator in OPERATORS.items() if operator.one_way}
    assert one_way == {name for name in OPERATORS if name not in CASES}
    assert {name for name in one_way if OPERATORS[name].lower is None} == {"BATCH_MATMUL", "SUB"}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [("TANH", 0, 1), ("TANH", 3, 1), ("TANH", 1, 2), ("TANH", 1, 0), ("LEAKY_RELU", 2, 1), ("CONCATENATION", 0, 1)],
)
def test_wrong_number_of_operands_or_results(name: str, inputs: int, outputs: int) -> None:
    graph = Builder()
    x = graph.input((1, 4))
    made = graph.op(name, [x] * inputs, [(1, 4)] * outputs)
    with pytest.raises(MalformedModel, match=f"{name} has {inputs} inputs"):
        converter.convert(graph.build([x, *made][-1:]))


@pytest.mark.parametrize("alpha", [-0.2, np.nan, np.inf])
def test_slope_that_keras_refuses(alpha: float) -> None:
    with pytest.raises(UnsupportedOp, match="its slope is"):
        converter.convert(one("LEAKY_RELU", (1, 4), (1, 4), alpha=alpha))


def test_a_name_is_entered_once() -> None:
    before = len(records.RECORDS)
    for entry in (Operator("CONV_2D"), Layer("Conv2D")):
        with pytest.raises(ValueError, match="entered twice"):
            record(None, entry)
    with pytest.raises(ValueError, match="conv is entered twice"):
        record(Kind("conv"))
    assert (len(records.RECORDS), KINDS["conv"].emit is None) == (before, False)
