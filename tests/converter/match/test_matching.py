"""Which layer is which: names that help, names that mislead, no names at all."""

import random
from typing import Any

import pytest

import converter
from converter.match.alignment.evidence import Evidence
from converter.match.canonical import network_of_blueprint
from converter.match.matching import Matching, match
from converter.match.trace import keras_network
from tests.tools import models
from tests.tools.files import siblings_file
from tests.tools.lazy import architectures, keras, layers
from tests.tools.networks import original, plan_for, siblings

pytestmark = pytest.mark.one_setting
SIBLINGS = converter.read(siblings_file("left", "right"))


def matched(file: Any, model: Any) -> Matching:
    return match(network_of_blueprint(converter.blueprint(file.graph)), keras_network(model).network)


def with_weights(found: Matching) -> dict[str, str]:
    """The model's layer → the file's."""
    return {pair.theirs.name: pair.ours.name for pair in found.pairs() if pair.ours.weights}


def with_names(model: Any, rename: Any) -> tuple[Any, dict[str, str]]:
    """A copy whose layers have other names, and which name was which."""
    truth: dict[str, str] = {}

    def copy(layer: Any) -> Any:
        name = rename(layer.name)
        truth[name] = layer.name
        made = type(layer).from_config(layer.get_config())
        made.name = name  # not every version of Keras lets operations take one
        return made

    return keras.models.clone_model(model, clone_function=copy), truth


@pytest.mark.parametrize("name", models.NAMES)
def test_topology_alone_finds_the_weights(name: str) -> None:
    """At least 95 % of the layers with weights, and never a wrong one."""
    rng = random.Random(0)  # noqa: S311 - names, not secrets
    model, truth = with_names(models.shared(name), lambda _: f"x{rng.randrange(10**12)}")
    found = [m for m in matched(models.original(name), model).matches if m.ours and m.theirs and m.ours.weights]
    every = [spec for spec in converter.blueprint(models.original(name).graph).specs if spec.weights]
    assert [m.ours.name for m in found if m.ours and m.theirs and truth[m.theirs.name] != m.ours.name] == []
    assert len(found) >= 0.95 * len(every)
    assert {m.evidence for m in found} == {Evidence.TOPOLOGY}


def test_topology_finds_the_layers_of_another_persons_palm_detector() -> None:
    rng = random.Random(1)  # noqa: S311
    named = architectures.palm_192()
    shuffled, truth = with_names(named, lambda _: f"x{rng.randrange(10**12)}")
    expected, found = (
        {pair.theirs.name: pair.ours.name for pair in matched(original("palm_192"), model).pairs()}
        for model in (named, shuffled)
    )
    assert len(expected) > 100
    assert {truth[theirs]: ours for theirs, ours in found.items() if theirs in truth}.items() <= expected.items()
    assert len(found) == len(expected)


def test_siblings_are_reported_not_guessed() -> None:
    found = matched(SIBLINGS, siblings(None, None))
    assert {m.ours.name for m in found.matches if m.ours and m.ours.weights} == {"end"}
    assert set(found.ambiguous) == {"left", "right"}
    assert all(len(candidates) == 2 for candidates in found.ambiguous.values())


@pytest.mark.parametrize("order", [("left", "right"), ("right", "left")])
def test_names_tell_siblings_apart(order: tuple[str, str]) -> None:
    found = with_weights(matched(SIBLINGS, siblings(*order)))
    assert all(theirs == ours for theirs, ours in found.items())
    assert len(found) == 3


def test_counted_names_need_not_agree() -> None:
    """Keras goes on counting from model to model; the order counts."""
    file = converter.read(siblings_file("conv2d", "conv2d_1"))
    pairs = with_weights(matched(file, siblings("conv2d_57", "conv2d_58")))
    assert (pairs["conv2d_57"], pairs["conv2d_58"]) == ("conv2d", "conv2d_1")


def test_misleading_numbers_do_not_beat_the_graph() -> None:
    """All layers with kernels are numbered backwards."""
    model = architectures.blaze_face()
    numbers = [layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)]
    backwards = dict(zip(numbers, [f"conv2d_{900 - i}" for i in range(len(numbers))], strict=True))
    misled, truth = with_names(model, lambda name: backwards.get(name, name))
    expected, found = (with_weights(matched(original("blaze_face"), each)) for each in (model, misled))
    assert len(expected) > 30
    assert {truth[theirs]: ours for theirs, ours in found.items()} == expected


def test_evidence_is_said() -> None:
    plan = plan_for(architectures.blaze_face(), original("blaze_face"))
    ways = {assignment.path.partition("/")[0]: assignment.why for assignment in plan.assignments}
    assert set(ways.values()) == {Evidence.NAME, Evidence.TOPOLOGY}


def a_chain(names: list[str], heads: tuple[int, ...] = ()) -> Any:
    """Equal convolutions one after the other; `heads` are the numbers of those that outputs read."""
    x, made = keras.Input((8, 8, 4)), []
    inputs = x
    for name in names:
        x = layers.Conv2D(4, 3, padding="same", name=name)(x)
        made.append(x)
    outputs = [layers.Conv2D(2, 1, name=f"head{n}")(made[n]) for n in heads]
    return keras.Model(inputs, outputs or x)


def paired(left: Any, right: Any) -> dict[str, str]:
    """Layer of the first model → of the second."""
    found = match(keras_network(left).network, keras_network(right).network)
    return {pair.ours.name: pair.theirs.name for pair in found.pairs()}


def test_head_on_the_wrong_block_shifts_nothing() -> None:
    names = [f"x{n}" for n in range(6)]
    right = a_chain(names, heads=(3, 5))
    wrong = a_chain([f"y{n}" for n in range(6)], heads=(2, 5))
    assert {f"x{n}": f"y{n}" for n in range(6)}.items() <= paired(right, wrong).items()


def test_missing_link_of_an_equal_chain_stays_open_where_the_names_say() -> None:
    names = [f"conv2d_{n}" for n in range(6)]
    found = match(keras_network(a_chain(names)).network, keras_network(a_chain([*names[:2], *names[3:]])).network)
    assert [m.ours.name for m in found.matches if m.ours and not m.theirs] == ["conv2d_2"]


def test_numbers_tell_what_nothing_else_does() -> None:
    left, right = keras_network(siblings("a", "b")).network, keras_network(siblings("c", "d")).network
    (a, b), (c, d) = (
        dict.fromkeys(n for n in network.nodes if n.kind == "conv" and n.name != "end") for network in (left, right)
    )
    found = match(left, right, numbers=({a: "one", b: "two"}, {c: "two", d: "one"}))
    assert {(a, d), (b, c)} <= {(pair.ours, pair.theirs) for pair in found.pairs()}


def test_reasons_for_and_against_are_kept() -> None:
    inputs = keras.Input((8, 8, 3))
    one, two = (layers.Conv2D(4, 3, padding="same", name=name)(inputs) for name in ("one", "two"))
    other = keras.Model(inputs, layers.Subtract(name="end")([layers.ReLU(name="r")(two), one]))
    model = keras.Model(inputs, layers.Subtract(name="end")([layers.ReLU(name="r")(one), two]))
    found = {m.node.name: m for m in match(keras_network(model).network, keras_network(other).network).matches}
    assert any(reason.points < 0 for reason in found["r"].reasons)
    assert found["one"].points == sum(reason.points for reason in found["one"].reasons) > 0
