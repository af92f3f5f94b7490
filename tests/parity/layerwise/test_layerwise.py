"""The comparison names the layer that is wrong, says why, and cannot be fooled by what is missing or not finite."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.errors import BadCandidate, BadInput
from converter.match.alignment.evidence import Evidence
from converter.match.overrides import Override
from converter.match.transfer import transfer
from fixtures.builder import Builder
from parity.candidates.keras import KerasCandidate
from parity.candidates.saved_traces import save_trace
from parity.layerwise.check import check, report
from parity.layerwise.statistics import measure, span_of
from parity.layerwise.tolerance import Limits, limits
from parity.outputs.compare import CEILING, SPREADS, Verdict
from tests.tools import models
from tests.tools.files import siblings_file
from tests.tools.lazy import keras, layers, odd_layers
from tests.tools.networks import TRANSFERS, assert_same, guilty, has_run, plan_for, siblings, transferred

FILE = converter.read(siblings_file("left", "right"))
VALUES = np.array([[0.0, 1.0, -1.0, 2.0]], np.float32)


def small(**end: Any) -> Any:
    """The model of `siblings_file` with its weights; `end` are other settings of its last layer."""
    model = siblings(**end)
    transfer(plan_for(model, FILE))
    return model


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize("with_audit", [True, False])
def test_five_by_five_pools(name: str, with_audit: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Every weight is right, and the first wrong pool is named: by the audit, and by activations alone."""
    model, _ = transferred(name, pool_size=5)
    outcome = report(has_run(name), KerasCandidate(model), with_audit=with_audit).report
    first = next(layer.name for layer in model.layers if isinstance(layer, layers.MaxPooling2D))
    blamed = guilty(outcome)
    assert (blamed.layer, blamed.mode) == (first, "isolated")
    assert blamed.op.endswith("MAX_POOL_2D")
    assert ("pool_size is (5, 5), the file has (2, 2)" in blamed.why) == with_audit
    wrong = [layer for layer in outcome.layers if layer.isolated and not layer.isolated.ok]
    assert {layer.op.partition(" ")[2].partition(" ")[2] for layer in wrong} == {"MAX_POOL_2D"}
    assert bool(outcome.findings) == with_audit


@pytest.mark.parametrize("name", TRANSFERS)
def test_one_layer_is_guilty_and_the_rest_inherits(name: str) -> None:
    model, _ = transferred(name)
    layer = model.layers[len(model.layers) // 2]
    layer = next(other for other in model.layers[model.layers.index(layer) :] if isinstance(other, layers.Conv2D))
    layer.set_weights([layer.get_weights()[0] * 1.5, *layer.get_weights()[1:]])
    outcome = report(has_run(name), KerasCandidate(model)).report
    assert guilty(outcome).layer == layer.name
    wrong = [result.layer for result in outcome.layers if result.isolated and not result.isolated.ok]
    assert wrong == [layer.name]
    assert sum(result.chained is not None and not result.chained.ok for result in outcome.layers) > 5


def test_whole_network_may_be_off_by_what_roundings_of_its_input_grow_to() -> None:
    """However close LiteRT's kernel sets happen to be, and never by so much that anything would pass."""
    original = has_run("blaze_face")
    value = original.network.outputs[0].value
    spans, calm = dict.fromkeys(original.spreads, 1.0), dict.fromkeys(original.spreads, 0.0)
    found = limits(original.network, spans, calm, calm)[value]
    assert found.own <= found.chained < SPREADS * 1e-3
    for moved, allowed in ((1e-3, SPREADS * 1e-3), (1.0, CEILING)):
        expected = Limits(found.own, allowed)
        assert limits(original.network, spans, calm, calm | {value: moved})[value] == expected
    assert 0 < np.median(list(original.sensitivities.values())) < max(original.sensitivities.values())


def test_statistics_of_a_known_difference() -> None:
    made = VALUES + np.array([[0.0, 0.0, 0.3, 0.1]], np.float32)
    found = measure([made], [VALUES], 0.2, span_of([VALUES]) * 10)
    assert found.verdict is Verdict.DIFFERS
    assert found.max_abs == pytest.approx(0.3)
    assert found.mean_abs == pytest.approx(0.1)
    assert found.share_out == pytest.approx(0.25)
    assert found.relative == pytest.approx(0.3 / 30)
    cosine = float((made * VALUES).sum() / np.linalg.norm(made) / np.linalg.norm(VALUES))
    assert found.cosine == pytest.approx(cosine)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (None, Verdict.ABSENT),
        (np.zeros((1, 5), np.float32), Verdict.OTHER_SHAPE),
        (np.full((1, 4), np.nan, np.float32), Verdict.NOT_FINITE),
        (np.array([[0, 1, np.inf, 2]], np.float32), Verdict.NOT_FINITE),
        (np.array([[0, 1, -1, 2.1]], np.float32), Verdict.DIFFERS),
        (np.array([[0, 1, -1, 2]], np.float32), Verdict.OK),
    ],
)
def test_damage_is_an_outcome(made: Any, verdict: Verdict) -> None:
    assert measure([made], [VALUES], 1e-3, 3.0).verdict is verdict


def test_reference_that_is_not_finite_never_passes() -> None:
    values = np.array([[np.nan, 1.0]], np.float32)
    assert measure([values], [values], 1.0, 1.0).verdict is Verdict.NOT_FINITE
    assert measure([], [], 1.0, 1.0).verdict is Verdict.ABSENT


def test_kernels_that_disagree_decide_nothing() -> None:
    values = np.zeros((1, 2), np.float32)
    assert measure([values + 0.01], [values], 0.5, 1.0).verdict is Verdict.UNDECIDED
    assert measure([values + 1e-6], [values], 0.5, 1.0).verdict is Verdict.OK  # nothing that they disagree about


@pytest.mark.parametrize("damage", [np.nan, np.inf, 1e-2])
def test_damaged_weight_is_found(damage: float) -> None:
    model = small()
    kernel = model.get_layer("right").get_weights()[0]
    kernel[1, 1, 0, 0] += damage
    model.get_layer("right").set_weights([kernel, model.get_layer("right").get_weights()[1]])
    assert guilty(parity.layers(FILE, model)).layer == "right"


def test_missing_layer_is_never_the_same() -> None:
    model = small()
    assert guilty(parity.layers(FILE, keras.Model(model.input, model.get_layer("total").output))).layer == "end"


def test_saved_trace_is_compared_elsewhere(tmp_path: Path) -> None:
    model = small()
    compared = check(FILE, model)
    save_trace(tmp_path / "trace.npz", compared.recording())
    again = parity.layers(FILE, tmp_path / "trace.npz")
    assert again.ok
    assert again.candidate == compared.report.candidate == model.name
    assert [layer.chained for layer in again.layers] == [layer.chained for layer in compared.report.layers]
    assert {layer.isolated for layer in again.layers} == {None}


def test_saved_trace_of_a_wrong_model_is_still_wrong(tmp_path: Path) -> None:
    model = small()
    model.get_layer("end").set_weights([w * 1.1 for w in model.get_layer("end").get_weights()])
    save_trace(tmp_path / "trace.npz", check(FILE, model).recording())
    blamed = guilty(parity.layers(FILE, tmp_path / "trace.npz"))
    assert (blamed.layer, blamed.mode) == ("end", "chained")


def test_file_that_is_no_trace_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "trace.npz").write_bytes(b"nonsense")
    with pytest.raises(BadCandidate, match="is no trace"):
        parity.layers(FILE, tmp_path / "trace.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(BadCandidate, match="is no trace"):
        parity.layers(FILE, tmp_path / "other.npz")


def test_another_tflite_file_as_the_candidate(tmp_path: Path) -> None:
    same = parity.layers(models.original("palm_detection_lite"), models.path("palm_detection_lite"))
    assert same.ok
    assert all(layer.isolated and layer.chained for layer in same.layers)
    (tmp_path / "other.tflite").write_bytes(siblings_file("right", "left"))  # the same numbers under other names
    assert guilty(parity.layers(FILE, tmp_path / "other.tflite")).layer in ("left", "right")


def test_inputs_are_checked() -> None:
    good = np.zeros((1, 8, 8, 3), np.float32)
    for inputs, message in (
        ([[good * np.nan]], "192 values that are not finite"),
        ([[good[:, :4]]], r"float32 \(1, 4, 8, 3\); tensor #0 'input' takes float32 \(1, 8, 8, 3\)"),
        ([[good.astype(np.float64)]], "float64"),
        ([[good, good]], "has 2 arrays, the model takes 1"),
        ([], "no inputs"),
    ):
        with pytest.raises(BadInput, match=message):
            parity.layers(FILE, small(), inputs=inputs)


def test_candidate_of_another_input_size_is_an_error() -> None:
    inputs = keras.Input((16, 16, 3))
    with pytest.raises(BadCandidate, match=r"has shape \(16, 16, 3\), the original's \(8, 8, 3\)"):
        parity.layers(FILE, keras.Model(inputs, layers.Conv2D(2, 1)(inputs)))


def test_candidate_that_raises_is_an_error_that_names_the_layer() -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 1)(odd_layers.Raises(name="mine")(inputs)))
    with pytest.raises(BadCandidate, match=r"(?s)layer 'mine' of the candidate raises RuntimeError: .*out of luck"):
        parity.layers(FILE, model)


def test_assertion_message_is_the_report() -> None:
    assert parity.assert_parity(FILE, small()).ok
    with pytest.raises(AssertionError, match=r"^end is wrong: the file has no tanh here") as caught:
        parity.assert_parity(FILE, small(activation="tanh"))
    assert "error so far" in str(caught.value)


def test_missing_last_activation_is_found() -> None:
    """The file ends with one, the model without."""
    b, inputs = Builder(), keras.Input((8, 8, 3))
    ones = [b.constant(np.ones(shape, np.float32)) for shape in ((2, 1, 1, 3), (2,))]  # some sums are negative
    made = b.conv(b.input((1, 8, 8, 3)), (2, 1, 1, 3), "end", weights=ones, fusedActivationFunction=1)
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="end")(inputs))
    file = converter.read(b.build([made]))
    transfer(plan_for(model, file))
    assert "the model has no relu after end" in guilty(parity.layers(file, model)).why


def test_report_is_json() -> None:
    outcome = parity.layers(FILE, small(activation="relu"))
    document = json.loads(json.dumps(outcome.as_dict(), allow_nan=False))
    assert document["ok"] is False
    assert document["guilty"]["layer"] == "end"
    assert len(document["tensors"]) == len(outcome.layers)
    assert set(document["tensors"][0]["chained"]) == {
        "verdict", "max_abs", "mean_abs", "relative", "cosine", "share_out", "non_finite",
    }  # fmt: skip


def test_overrides_pair_what_nothing_else_does(tmp_path: Path) -> None:
    model = siblings("a", "b")
    table = tmp_path / "overrides.toml"
    table.write_text('[[override]]\ntensor = "left/Kernel"\nvariable = "a/kernel"\nwhy = "a test"\n')
    for ours, theirs in (("left", "a"), ("right", "b"), ("end", "end")):
        model.get_layer(theirs).set_weights(small().get_layer(ours).get_weights())
    for overrides in ((), table):
        assert_same(parity.layers(FILE, model, overrides=overrides))  # without a table equal weights say it
    model.get_layer("a").set_weights(model.get_layer("b").get_weights())
    blamed = guilty(parity.layers(FILE, model))
    assert (blamed.layer, blamed.mode) == ("a", "isolated")


def test_equal_results_pair_what_neither_names_nor_weights_do() -> None:
    """The kernels are as large as the file's, but for a factor that batch normalization takes out again."""
    x = keras.Input((8, 8, 3))
    both = [layers.BatchNormalization(name=f"n{n}")(layers.Conv2D(4, 3, padding="same", name=n)(x)) for n in "ab"]
    model = keras.Model(x, layers.Conv2D(2, 1, name="end")(layers.Add(name="total")(both)))
    model.get_layer("end").set_weights(small().get_layer("end").get_weights())
    for ours, theirs in (("left", "b"), ("right", "a")):
        kernel, bias = small().get_layer(ours).get_weights()
        model.get_layer(theirs).set_weights([kernel / 2, bias / 2])
        norm = model.get_layer(f"n{theirs}")
        norm.set_weights([np.full(4, 2.0), np.zeros(4), np.zeros(4), np.full(4, 1 - norm.epsilon)])
    compared = check(FILE, model)
    assert_same(compared.report)
    found = {m.ours.name: (m.theirs.name, m.evidence) for m in compared.matching.matches if m.ours and m.theirs}
    assert found["left"] == ("b", Evidence.NUMBERS)


def test_row_that_the_numbers_contradict_is_told_both() -> None:
    model = siblings("a", "b")
    for ours, theirs in (("left", "a"), ("right", "b"), ("end", "end")):
        model.get_layer(theirs).set_weights(small().get_layer(ours).get_weights())
    rows = [Override("right/Kernel", "a/kernel", "a test")]
    blamed = guilty(parity.layers(FILE, model, overrides=rows))
    assert blamed.layer == "a"
    assert re.search(
        r"says that it is right, and as such it is off by up to [\d.]+ \(allowed .*\); b is right, off by", blamed.why
    )


def test_variants_of_the_architectures_are_not_the_original() -> None:
    """The comparator fails on every single pool, not only on all of them."""
    model, _ = transferred("blaze_face")
    for pool in [layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]:
        pool.pool_size = (3, 3)
        pool.padding = "same"
        assert guilty(report(has_run("blaze_face"), KerasCandidate(model)).report).layer == pool.name
        pool.pool_size = (2, 2)
