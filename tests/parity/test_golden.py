"""The model that only MediaPipe can run, against what MediaPipe 0.10.21 computed (`fixtures/golden`)."""

import numpy as np
import pytest

from fixtures.make_golden import FOLDER, MODEL, OUTPUTS, SEEDS, differences, face_input
from parity.outputs.compare import RELATIVE, SPREADS
from parity.runners.runtimes import keras_runner
from tests.tools.models import shared


def test_face_landmark_with_attention() -> None:
    run = keras_runner(shared(MODEL))
    made = [np.concatenate(outputs) for outputs in zip(*(run([face_input(seed)]) for seed in SEEDS), strict=True)]
    with np.load(FOLDER / f"{MODEL}.npz") as golden:
        for name, output in zip(OUTPUTS, made, strict=True):
            plain = golden[name]
            limit = max(SPREADS * golden[f"{name}__spread"], RELATIVE * (max(plain.max(), 0) - min(plain.min(), 0)))
            assert np.abs(output.reshape(plain.shape) - plain).max() <= limit, name


@pytest.mark.parametrize("damage", [np.nan, 1e-3])
def test_the_check_of_the_golden_files_can_fail(damage: float) -> None:
    with np.load(FOLDER / f"{MODEL}.npz") as golden:
        stored = dict(golden)
    assert differences(stored, stored) == []
    hurt = {name: value.copy() for name, value in stored.items()}
    hurt["conv_faceflag"][2] += damage
    assert len(differences(stored, hurt)) == 1
    del hurt["conv_faceflag"]
    assert differences(stored, hurt) == ["conv_faceflag: in one of the two only"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("palm_detection_full/logits", 1e-3),
        ("palm_detection_full/logits_spread", 0.1),
        ("hands/1/landmarks_xyz", 3e-3),
        ("hands/1/handedness", np.nan),
        ("hands/1/handedness", 0.02),
    ],
)
def test_the_check_of_what_depends_on_the_processor_can_fail(name: str, damage: float) -> None:
    with np.load(FOLDER / "detection.npz") as golden:
        stored = dict(golden)
    hurt = stored | {name: stored[name].copy()}
    hurt[name].flat[0] += damage
    assert [line.partition(":")[0] for line in differences(stored, hurt)] == [name]
