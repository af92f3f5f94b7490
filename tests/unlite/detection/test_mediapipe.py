"""Our stages against MediaPipe 0.10.21 itself, all of their numbers; `tox -e mediapipe` runs this."""

import json
from pathlib import Path

import numpy as np
import pytest

import converter
from converter.detectors.table import find
from converter.write.labels import with_labels
from converter.write.writer import write
from fixtures.detection_cases import MODELS, detector_of, in_order, raw_tensors, rows
from fixtures.pictures import NAMES, picture
from parity.outputs.compare import Verdict, compare
from parity.runners.runtimes import LiteRT, Run, keras_runner
from tests.tools.labelled import LABELS, detector
from tests.tools.lazy import keras
from tests.tools.models import original, path, shared
from tests.unlite.detection.test_golden import CLOSE
from unlite.detection.finder import load_finder
from unlite.detection.mediapipe_graph import labelled_graph
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


@pytest.mark.parametrize("logits_first", [False, True])
def test_labelled_detector_runs_in_mediapipe(
    logits_first: bool,  # noqa: FBT001 - a parameter of pytest's
    tmp_path: Path,
) -> None:
    from fixtures.mediapipe_graphs import run_labelled

    file, model = tmp_path / "three.tflite", detector("joint")
    if logits_first:
        model = keras.Model(model.inputs, model.outputs[::-1])
    data = write(None if logits_first else original("palm_detection_full"), model)
    file.write_bytes(with_labels(data, LABELS))
    config = labelled_graph(file, converter.read(file).graph, LABELS)
    assert config
    finder = load_finder(file)
    for name in NAMES:
        found = finder(picture(name))
        labels, theirs = run_labelled(config, tmp_path, picture(name), finder.detector)
        assert [each.label for each in finder.names(found)] == labels == ["palm"] * len(found)
        assert np.abs(rows(found) - rows(theirs)).max(initial=0) <= CLOSE, name


def test_other_tools_read_the_labels(tmp_path: Path) -> None:
    from mediapipe.tasks.python.metadata.metadata import MetadataDisplayer

    file = tmp_path / "three.tflite"
    file.write_bytes(write(original("palm_detection_full"), detector("joint")))
    shown = MetadataDisplayer.with_model_file(str(file))
    (graph,) = json.loads(shown.get_metadata_json())["subgraph_metadata"]
    (taken,), (location, score) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert taken["process_units"][0]["options"] == {"mean": [0.0], "std": [255.0]}
    assert (location["name"], score["name"]) == ("location", "score")
    assert score["process_units"][0]["options"] == {"global_score_threshold": 0.42}
    assert [each["type"] for each in score["associated_files"]] == ["TENSOR_AXIS_LABELS"]
    assert shown.get_packed_associated_file_list() == ["labels.txt"]
    assert shown.get_associated_file_buffer("labels.txt").decode().splitlines() == list(LABELS.names)
