"""`unlite heads`: what it prints, which exit code, and what it leaves behind."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from parity.report.text import make_console
from tests.tools.commands import check_refused, document, output, run
from tests.tools.models import original
from unlite.commands.heads import View, is_watched
from unlite.cost import measure as heads
from unlite.cost.latency import FEWEST, Contender, Timings
from unlite.cost.runtimes import parse_runtimes
from unlite.training.drawn.sets import Drawn, drawn_set

pytestmark = pytest.mark.one_setting

NAME = "face_detection_short_range"
FEW = ("--classes", "1,3", "--design", "joint,two_stage")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: a detector takes ten milliseconds, joint with three classes thirty, everything else one."""
    times = {"original": 10.0, "detector": 10.0, "backbone": 9.0, "joint 1": 10.0, "joint 3": 30.0}

    def interleave(contenders: Mapping[str, Contender], **_: Any) -> Timings:
        return Timings({name: (times.get(name, 1.0) / 1000,) * 20 for name in contenders})

    monkeypatch.setattr(heads, "interleave", interleave)


def test_measures_prints_and_draws(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "heads", NAME, *FEW, "--seconds", "0", "--plot", "out.svg", "--budget", "100s")
    assert (code, "Traceback" in err) == (0, False)
    unchanged = "litert: the unchanged face_detection_short_range takes"
    for part in (unchanged, "For 3 classes in litert, take ", "The budget of 100000.00 ms is met"):
        assert part in out
    assert out.endswith("drawn into out.svg\n")
    assert Path("out.svg").read_text().rstrip().endswith("</svg>")


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = document(capsys, "heads", NAME, *FEW, "--seconds", "0")
    assert (made["ok"], made["model"], made["budget_seconds"]) == (True, NAME, None)
    expected = [(design, classes) for design in ("joint", "two_stage") for classes in (1, 3)]
    assert [(row["design"], row["classes"]) for row in made["measured"]] == expected
    assert all(row["total_seconds"]["median"] > row["model_seconds"]["lower_quartile"] for row in made["measured"])
    assert made["runtimes"]["litert"]["rounds"] == FEWEST


@pytest.mark.usefixtures("told")
def test_missed_budget_and_slow_head(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--classes", "1,3", "--design", "joint", "--budget", "32.5ms", "--plot", "out.svg")
    says = ["The budget of 32.50 ms is MISSED by 0.50 ms.", "SLOW: joint with 3 classes in litert takes 3.00 times"]
    out = output(capsys, "heads", NAME, *few, says=says, exit_code=1)
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("joint")] == ["ok", "slow"]
    assert Path("out.svg").exists()  # what was measured is still to be seen
    output(capsys, "heads", NAME, *few[:4], "--budget", "0.0331s")


@pytest.mark.usefixtures("told")
def test_missed_budget_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert not document(capsys, "heads", NAME, *FEW, "--budget", "1ms", exit_code=1)["ok"]


@pytest.fixture
def hands() -> None:
    drawn_set(Path("hands"), 6, drawn=Drawn(("fist", "open"), persons=3, others=0.0), size=128)


@pytest.mark.usefixtures("told", "hands")
def test_worth_beside_cost(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--data", "hands", "--epochs", "1", "--design", "joint,two_stage", "--plot", "out.svg")
    made = document(capsys, "heads", "palm_detection_full", *few)
    rows = made["measured"]
    assert [(row["design"], row["classes"]) for row in rows] == [("joint", 2), ("two_stage", 2)]
    assert all(0 <= row[worth] <= 1 for row in rows for worth in ("map50", "accuracy"))
    assert made["trained"]["joint"]["evaluation"]["map50"] == rows[0]["map50"]
    second = made["trained"]["two_stage"]
    assert second["own_scale"]["map50"] == rows[1]["map50"]
    assert second["labels"]["names"] == ["fist", "open", "none"]
    assert set(made["front"]) <= {"joint", "two_stage"}
    # The second stage that was trained is what was measured: it costs as much as the detector.
    assert rows[1]["expected_times_unchanged"] > 1.5
    assert "mAP@0.5" in Path("out.svg").read_text()


@pytest.mark.usefixtures("told", "hands")
def test_worth_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--data", "hands", "--epochs", "1", "--design", "joint")
    output(
        capsys, "heads", "palm_detection_full", *few, says=["mAP@0.5  accuracy", "For 2 classes in litert, take joint"]
    )


@pytest.mark.usefixtures("hands")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "hands", "--classes", "2"], "with --data there are as many as labels"),
        (["--data", "hands", "--epochs", "0"], "0 trains nothing"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_bad_data(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_refused(capsys, "heads", "palm_detection_full", *arguments, message=message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hand_recrop"], "hand_recrop has no detection head"),
        (["none.tflite"], "no such file: none.tflite"),
        ([NAME, "--classes", "0"], "0 classes make no detector"),
        ([NAME, "--classes", "1,-7"], "-7 classes make no detector"),
        ([NAME, "--classes", "many"], "'many' is no list of numbers"),
        ([NAME, "--design", "joint,wide"], "no design 'wide'"),
        ([NAME, "--runtime", "abacus"], "no runtime 'abacus'"),
        ([NAME, "--budget", "fast"], "'fast' is no budget"),
        ([NAME, "--detector", "paw"], "no detector 'paw'"),
        ([NAME, "--plot", "missing/out.svg"], "the folder missing does not exist"),
        ([NAME, "--plot", "out.png"], "does not end in .svg"),
        ([NAME, "--plot", "folder.svg"], "it is a folder"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.svg").mkdir()
    plot = [] if "--plot" in arguments else ["--plot", "out.svg"]
    check_refused(capsys, "heads", *arguments, *plot, message=message)


@pytest.mark.usefixtures("told")
def test_what_is_known_is_shown_while_it_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Below what is being done, and in place of what was known before."""
    shown: list[Any] = []
    view = View(shown.append, {})
    view.say("building")
    assert shown == ["building"]
    found = heads.measure(original(NAME), runtimes=parse_runtimes(), designs=["joint"], classes=[1, 3])
    view.watch(found)
    view.say("round 9")
    make_console().print(shown[-1])
    text = capsys.readouterr().out
    assert text.startswith("round 9\nlitert: the unchanged face_detection_short_range takes 1.00 times")
    assert "median of 20 rounds" in text
    assert text.endswith(f"{found.recommendation}\n")


@pytest.mark.parametrize(
    ("stdout", "stderr", "json"), [(True, True, False), (True, False, False), (False, True, False), (True, True, True)]
)
def test_watched_in_a_terminal_alone(stdout: bool, stderr: bool, json: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: stdout))
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: stderr))
    assert is_watched(Namespace(json=json)) == (stdout and stderr and not json)


def test_help_says_what_the_exit_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(capsys, "heads", "--help")
    assert left.value.code == 0
    assert "exit code 1 if it takes longer" in " ".join(capsys.readouterr().out.split())
