"""Training for the page: how commands are run, and what becomes of them. What they do has tests of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converter.detectors.labels import Labels
from converter.errors import BadData
from unlite.collecting import jobs
from unlite.collecting.jobs import Jobs, Trained

pytestmark = pytest.mark.one_setting

SECONDS = 60
SAID = '{"evaluation": {"objects": 8, "pictures": 10, "at_threshold": {"accuracy": 0.75}}}'
# Stands for `unlite`: says what it was called with, and what a line of it is to do.
UNLITE = """
import os, sys, time
from pathlib import Path
verb, *rest = sys.argv[1:]
print("begins", flush=True, file=sys.stderr)
exec(os.environ.get(f"MEANWHILE_{verb}", ""))
Path(rest[rest.index("-o") + 1]).write_text(" ".join(sys.argv[1:]))
print(os.environ["SAID"])
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """Whose commands are run by the module above."""
    (tmp_path / "modules" / "unlite").mkdir(parents=True)
    (tmp_path / "modules" / "unlite" / "__init__.py").touch()
    (tmp_path / "modules" / "unlite" / "__main__.py").write_text(UNLITE)
    (tmp_path / "gestures-run").mkdir()
    monkeypatch.chdir(tmp_path / "modules")  # comes first on the path of `python -m`
    monkeypatch.setenv("SAID", SAID)
    made = Jobs("palm_detection_full", tmp_path / "gestures")
    yield made
    made.stop()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(made: Jobs) -> dict[str, object]:
    until(lambda: made.as_dict()["state"] != "running")
    return made.as_dict()


def test_nothing_is_done_at_first(made: Jobs) -> None:
    assert made.as_dict() == {"state": "idle", "line": "", "error": "", "summary": "", "seconds": 0.0, "rows": []}
    assert made.trained() is None
    with pytest.raises(BadData, match="nothing is trained yet"):
        made.export()


def test_training_is_the_command_that_people_type_and_its_export(made: Jobs, tmp_path: Path) -> None:
    made.train("quick")
    job = ended(made)
    assert (job["state"], job["error"]) == ("done", "")
    assert job["summary"] == "right class in the right place: 75% of 8 objects in 10 pictures that were held out"
    keras, run = tmp_path / "gestures.keras", tmp_path / "gestures-run"
    how = "--copies 8 --epochs 6 --width 64"
    typed = f"finetune palm_detection_full --data {tmp_path / 'gestures'} -o {keras} --run {run} {how} --json"
    assert keras.read_text() == typed
    exported = f"export {keras} --like palm_detection_full -o {run / 'gestures.tflite'} --json"
    assert (run / "gestures.tflite").read_text() == exported


def test_progress_and_curves_while_it_runs(made: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    (made.folder / "results.csv").write_text("epoch,loss,val_loss\n1,3.5,4\n2,2.5,3\n")
    monkeypatch.setenv("MEANWHILE_finetune", "print('training, pass 2/6', flush=True, file=sys.stderr); time.sleep(60)")
    made.train("thorough")
    until(lambda: made.as_dict()["line"] == "training, pass 2/6")
    job = made.as_dict()
    assert job["state"] == "running"
    assert job["rows"] == [{"epoch": 1, "loss": 3.5, "val_loss": 4}, {"epoch": 2, "loss": 2.5, "val_loss": 3}]
    with pytest.raises(BadData, match="a training is under way"):
        made.train("quick")
    made.stop()
    job = made.as_dict()
    assert (job["state"], job["error"]) == ("stopped", "")
    made.train("quick")  # and again
    made.stop()


def test_command_that_does_not_listen_is_killed(made: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PATIENCE", 0.2)
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True, file=sys.stderr)"
    monkeypatch.setenv("MEANWHILE_finetune", f"{deaf}; time.sleep(600)")
    made.train("quick")
    until(lambda: made.as_dict()["line"] == "deaf")
    made.stop()
    assert made.as_dict()["state"] == "stopped"


@pytest.mark.parametrize("verb", ["finetune", "export"])
def test_error_of_a_command_is_told_without_what_came_before(
    made: Jobs, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv(f"MEANWHILE_{verb}", "sys.exit('error: fist has too few pictures\\nhint: show more of it')")
    made.train("quick")
    job = ended(made)
    assert (job["state"], job["error"]) == ("failed", "fist has too few pictures\nhint: show more of it")


def test_command_that_dies_tells_its_last_lines(made: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEANWHILE_finetune", "os.abort()")
    made.train("quick")
    job = ended(made)
    assert (job["state"], job["error"]) == ("failed", "begins")


def test_efforts_are_two(made: Jobs) -> None:
    with pytest.raises(BadData, match="no effort 'much'"):
        made.train("much")


def test_exported_file_lies_beside_the_data_set(made: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for suffix in (".tflite", ".pbtxt"):
        (made.folder / f"gestures{suffix}").write_text(suffix)
    trained = Trained(made.folder / "gestures.tflite", Labels(("fist",), 0.5, "palm", "mine"), has_report=False)
    monkeypatch.setattr(Jobs, "trained", lambda _: trained)
    assert made.exported() is None
    assert made.export() == made.exported() == tmp_path / "gestures.tflite"
    assert (tmp_path / "gestures.pbtxt").read_text() == ".pbtxt"
