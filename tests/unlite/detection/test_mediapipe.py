"""Our stages against MediaPipe 0.10.21 itself, all of their numbers; `tox -e mediapipe` runs this."""

import numpy as np
import pytest

from converter.detectors.table import find
from fixtures.detection_cases import MODELS, detector_of, in_order, raw_tensors, rows
from fixtures.pictures import NAMES, picture
from parity.outputs.compare import Verdict, compare
from parity.runners.runtimes import LiteRT, Run, keras_runner
from tests.tools.models import original, path, shared
from tests.unlite.detection.test_golden import CLOSE
from unlite.detection.pipeline import decode, detect, regressors_and_logits, suppress

pytestmark = pytest.mark.mediapipe


def runner(model: str, runtime: str) -> Run:
    return keras_runner(shared(model)) if runtime == "keras" else LiteRT(original(model).data, "xnnpack").run


@pytest.mark.parametrize("runtime", ["keras", "litert"])
@pytest.mark.parametrize("model", MODELS)
def test_every_stage(model: str, runtime: str) -> None:
    from fixtures.mediapipe_graphs import run_stages

    detector, run = detector_of(model), runner(model, runtime)
    raw: dict[str, list[np.ndarray]] = {"own": [], "plain": [], "xnnpack": []}
    for name in NAMES:
        stages = run_stages(model, path(model), detector, picture(name))
        plain = run_stages(model, path(model), detector, picture(name), "tflite")
        own = detect(run, detector, picture(name))
        np.testing.assert_array_equal(own.tensor, stages.tensor)
        for stage in ("decoded", "suppressed", "final"):
            ours, theirs = rows(getattr(own, stage)), rows(getattr(stages, stage))
            assert ours.shape == theirs.shape, (name, stage)
            assert np.abs(ours - theirs).max(initial=0) <= CLOSE, (name, stage)
        raw["own"].append(np.concatenate(regressors_and_logits(own.raw, detector), axis=1))
        raw["plain"].append(np.concatenate(in_order(plain.raw, detector), axis=1))
        raw["xnnpack"].append(np.concatenate(in_order(stages.raw, detector), axis=1))
    for part in (slice(-1), slice(-1, None)):
        outcome = compare("raw", *(np.stack(raw[key])[..., part] for key in ("own", "plain", "xnnpack")))
        assert outcome.verdict is Verdict.OK, outcome


def test_a_thousand_random_suppressions() -> None:
    from fixtures.mediapipe_graphs import run_tail

    detector = find("palm")
    for seed in range(1000):
        tensors = raw_tensors(seed)
        decoded = decode(*tensors, detector)
        found = decoded, suppress(decoded, detector.min_suppression_threshold)
        for ours, theirs in zip(found, run_tail(detector, *tensors), strict=True):
            np.testing.assert_allclose(rows(ours), rows(theirs), rtol=1e-6, atol=1e-6, err_msg=f"seed {seed}")
