"""Short cuts for tests of matching: from a file and a Keras model to a plan."""

from functools import cache
from typing import Any

import numpy as np

import converter
import parity
from converter.match.transfer import Plan, make_plan, transfer
from converter.tflite.model import Model
from parity.layerwise.original import Original, run_original
from parity.layerwise.results import Guilty, ParityReport
from tests.tools import models
from tests.tools.lazy import architectures, keras, layers

# The detectors of `fixtures.handwritten`, which take a file's weights; all models of it, small ones first.
TRANSFERS = ("blaze_palm", "blaze_face", "palm_192")
ARCHITECTURES = ("twelve_blocks", "blaze_face", "face_landmark", "selfie_segmentation", "palm_192", "blaze_palm")


@cache
def original(name: str) -> Model:
    """The file of one of `ARCHITECTURES`."""
    made: Model = architectures.ARCHITECTURES[name].file()
    return made


@cache
def has_run(name: str) -> Original:
    """The original with its traces on two inputs."""
    return run_original(original(name))


def plan_for(model: Any, file: Model, **settings: Any) -> Plan:
    """A plan from a file into a model."""
    return make_plan(converter.blueprint(file.graph), model, **settings)


def transferred(name: str, **settings: Any) -> tuple[Any, Plan]:
    """A person's model with the file's weights."""
    model = getattr(architectures, name)(**settings)
    plan = plan_for(model, original(name))
    transfer(plan)
    return model, plan


# The same, for tests that do not change it.
shared = models.Shared(lambda name: transferred(name)[0])


def randomized(model: Any, seed: int = 0) -> Any:
    """The model with random weights; those of batch normalization such that it changes something."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        low, high = (0.5, 1.5) if "variance" in variable.path or "gamma" in variable.path else (-0.5, 0.5)
        variable.assign(rng.uniform(low, high, tuple(variable.shape)).astype(np.float32))
    return model


def siblings(first: str | None = "left", second: str | None = "right", **end: Any) -> Any:
    """The layers of `tests.tools.files`, by these names; `end` are other settings of the last one."""
    inputs = keras.Input((8, 8, 3))
    both = [layers.Conv2D(4, 3, padding="same", name=name)(inputs) for name in (first, second)]
    settings = {"filters": 2, "kernel_size": 1, "name": "end"} | end
    return keras.Model(inputs, layers.Conv2D(**settings)(layers.Add(name="total")(both)))


def guilty(outcome: ParityReport) -> Guilty:
    """What a report blames, which has to say that something is wrong."""
    assert not outcome.ok
    assert outcome.guilty
    return outcome.guilty


def assert_same(outcome: ParityReport) -> None:
    """A report finds nothing, neither in what is computed nor in the settings."""
    assert outcome.ok, outcome.guilty
    assert outcome.findings == ()


def assert_agrees(file: Any, model: Any, seeds: int = 2) -> None:
    """LiteRT computes from a file what the Keras model does."""
    verification = parity.verify(file, model, seeds=seeds)
    assert verification.ok, verification.as_dict()
