"""Entry points that need no training: merge, doctor, specs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from algos import doctor, jobs, watch
from algos.core import progress
from algos.core.loop import MethodError
from algos.core.spec import JobSpec, SpecError, canonical, digest_of
from algos.imagination import perturbed_traces
from algos.jobs import default_scratch, fit_folders
from algos.merge import merge
from algos.train import require_members
from tests.algos.conftest import ROOT, expect_error, make_spec
from tests.algos.imitation import toy


@pytest.mark.parametrize(
    ("run", "evaluation", "message"),
    [
        ('{"digest": "a"}', '{"digest": "b"}', "evaluation.json: of another run; delete it and run again"),
        ('{"digest": "a"', None, "run.json: not readable (Expecting ',' delimiter: "),
        (None, None, "run.json: no such file; is --run the folder of a finished run?"),
        ("[]", None, "run.json: must be an object, found a list; delete it and run again"),
        ("{}", None, "run.json: missing key digest; delete it and run again"),
        ('{"digest": "a"}', None, "evaluation.json: no such file; make it with python -m algos.evaluate"),
        ('{"digest": "a"}', "{}", "evaluation.json: missing key digest; delete it and run again"),
    ],
)  # fmt: skip
def test_merge_refuses_what_is_no_evaluated_run(
    run: str | None,
    evaluation: str | None,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, content in (("run.json", run), ("evaluation.json", evaluation)):
        if content is not None:
            (tmp_path / name).write_text(content)
    arguments = ["--run", str(tmp_path), "--out", str(tmp_path / "result.json")]
    assert f"error: {tmp_path}/{message}" in expect_error(capsys, lambda: merge(arguments))
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize("check", doctor.CHECKS, ids=lambda check: check.__name__)
def test_doctor_says_what_to_do_whenever_something_is_not_ok(
    check: "doctor.Callable[[], doctor.Finding]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    finding = check()
    assert finding.found and (finding.status == "ok" or finding.advice)


def test_doctor_reports_little_disk_and_wrong_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("u", (), {"free": 1e9}))
    assert doctor.disk() == doctor.Finding("disk", "bad", "1.0 GB free", "free at least 5 GB")
    (tmp_path / "constraints.txt").write_text("numpy==0.0.1\n")
    monkeypatch.chdir(tmp_path)
    finding = doctor.pinned_versions()
    assert finding.status == "note" and "numpy" in finding.found and "pinned 0.0.1" in finding.found


def test_rendering_is_a_note_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    import gymnasium

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no GL")

    monkeypatch.setattr(gymnasium, "make", broken)
    finding = doctor.rendering()
    assert finding.status == "note" and "libegl1" in finding.advice


def test_canonical_json_and_digest_ignore_order_tier_and_seeds() -> None:
    assert canonical({"b": 1, "a": [1.0]}) == '{"a":[1.0],"b":1}'
    spec = json.loads(make_spec("bcq"))
    assert digest_of(spec | {"tier": "x", "seeds": [9], "digest": "y"}) == spec["digest"]
    assert digest_of(spec | {"precision": "bfloat16"}) != spec["digest"]


def test_neutral_keys_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    raw = json.loads(make_spec("romi_bcq", fits={"dynamics": "0"}))
    del raw["hyperparameters"]["reward_source"]
    raw["digest"] = digest_of(raw)
    assert JobSpec.parse(json.dumps(raw)).hyperparameters["reward_source"] == "model"
    del raw["hyperparameters"]["tau"]  # has no neutral value: missing is an error
    raw["digest"] = digest_of(raw)
    from algos.train import build_learner

    with pytest.raises(SpecError, match="romi_bcq: missing key tau"):
        build_learner(JobSpec.parse(json.dumps(raw)), None, None)  # type: ignore[arg-type]


def test_folders_of_fits_have_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = JobSpec.parse(make_spec("romi_bcq", fits={"dynamics": "0"}))
    assert fit_folders(["dynamics=a=b/c"], spec, "") == {"dynamics": Path("a=b/c")}
    for item in ("foo", "dynamics", "dynamics=", "=a"):
        with pytest.raises(SpecError, match=f"^--fits: {item}: write it as SLOT=DIR, a slot and"):
            fit_folders([item], spec, "the spec wants")
    message = r"^--fits: the run has \['dynamics'\], got \['policy'\]$"
    with pytest.raises(SpecError, match=message):
        fit_folders(["policy=a"], spec, "the run has")


def test_scratch_lies_beside_the_runs_of_the_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = JobSpec.parse(make_spec("bcq", (0, 1)))
    found = default_scratch(Path("results/quick/runs/bcq/t/base/seeds0-1"), spec)
    assert found == ROOT / "results/quick/scratch" / spec.digest[:16] / "seeds0-1"


def test_watch_shows_running_jobs_and_marks_those_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", -1.0)
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "results" / "quick" / "scratch"
    heartbeat = progress.Heartbeat(scratch / "a" / "seeds0-2", "train bcq", 1000, 0)
    heartbeat.started -= 10
    heartbeat.beat(250)
    dead = scratch / "b" / "seeds0-0" / progress.HEARTBEAT
    dead.parent.mkdir(parents=True)
    beat = {
        "label": "fit x",
        "done": 5,
        "total": 1 << 62,
        "rate": 0.0,
        "pid": 2**22 + 1,
        "time": 0.0,
    }
    dead.write_text(json.dumps(beat))
    (scratch / "c" / "seeds0-0").mkdir(parents=True)
    (scratch / "c" / "seeds0-0" / progress.HEARTBEAT).write_text("{half")
    found = {b["job"]: b for b in watch.running(scratch, time.time())}
    assert found["train bcq seeds0-2"]["state"] == "running"
    assert found["train bcq seeds0-2"]["rate"] == pytest.approx(25, rel=0.05)
    assert found["train bcq seeds0-2"]["pid"] == os.getpid()
    assert found["fit x seeds0-0"]["state"] == "gone"
    watch.main(["--tier", "quick"])
    out = capsys.readouterr().out
    assert "250 of 1,000" in out and "00:30" in out and "gone" in out
    heartbeat.stop()
    assert [b["job"] for b in watch.running(scratch, time.time())] == ["fit x seeds0-0"]


def test_durations() -> None:
    assert (watch.duration(9.4), watch.duration(3909)) == ("00:09", "1:05:09")


def unpacks() -> None:
    _one, _other = json.loads("[1, 2, 3]")


def converts() -> None:
    int("abc")


@pytest.mark.parametrize("mistake", [unpacks, converts])
def test_a_slip_in_code_keeps_its_traceback(mistake: Callable[[], None]) -> None:
    with pytest.raises(ValueError, match=r"unpack|abc"):
        jobs.main(mistake)


def test_an_error_meant_for_the_user_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        jobs.main(lambda: perturbed_traces.check(toy.bmil_config(), "forward"))
    assert stopped.value.code == jobs.BAD_INPUT
    found = capsys.readouterr().err
    assert found.startswith("error: action_selection: scale does not go with direction forward")
    assert found.count("\n") == 1


def test_a_method_that_lacks_something_is_refused_before_it_trains() -> None:
    learner = toy.bmil((0,))
    require_members(learner, "algos.mine:Mine")
    half = SimpleNamespace(seeds=(0,), chunk=1, metrics=(), draw=None, state=None, restore=None)
    with pytest.raises(
        MethodError, match=r"algos\.mine:Mine: finished, update, acting_noise, policy_"
    ):
        require_members(half, "algos.mine:Mine")


def test_work_that_is_reported_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", -1.0)
    with progress.reported(tmp_path, "evaluate vins", 500, "steps") as advance:
        advance(100)
        advance(150)
        beat = json.loads((tmp_path / progress.HEARTBEAT).read_text())
        assert (beat["label"], beat["done"], beat["total"]) == ("evaluate vins", 250, 500)
    assert not list(tmp_path.iterdir())
