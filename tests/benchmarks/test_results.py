"""Medians, ratios, targets, and what is written of them."""

import importlib
import inspect
import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from algos.core import machine as trainers
from benchmarks import catalogue, facts, processes, report, run, worker, workflow
from benchmarks.facts import cpu_flags, machine
from benchmarks.results import Result, Row, Spread, Target, as_json, judge, read_targets
from benchmarks.windows import Comparison, Effort, Session, Subject, spec
from paper_tables.plan import make_plan

MACHINE = {"cpu": "a CPU", "cores": 2, "flags": ["avx512f"], "peers": {"d3rlpy": "2.8.0"}}
PEER = Row("d3rlpy", "updates/CPU-s", [20.0, 25.0, 10.0], "maze2d")
OURS = Row(
    "Hindcast float32, R = 1",
    "updates/CPU-s",
    [40.0, 30.0, 30.0],
    "maze2d",
    against="d3rlpy",
    ratios=[2.0, 1.2, 3.0],
    peak_memory_mb=1234.5,
    busy=1.02,
)


def comparisons() -> list[Comparison]:
    return [each for found in run.BENCHMARKS.values() for each in found.comparisons()]


def test_spread_is_median_and_range() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([]) is None


@pytest.mark.parametrize(
    ("bound", "flags", "status"),
    [
        ({"at_least": 1.3}, set(), "met"),
        ({"at_least": 2.5}, set(), "missed"),
        ({"at_least": 2.5, "needs": "amx_bf16"}, set(), "below, not judged"),
        ({"at_least": 2.5, "needs": "amx_bf16"}, {"amx_bf16"}, "missed"),
        ({"at_least": 1.3, "needs": "amx_bf16"}, set(), "met"),
        ({"at_most": 1.9}, set(), "missed"),
    ],
)
def test_the_median_ratio_is_judged(bound: dict, flags: set[str], status: str) -> None:
    target = Target("bcq", "Hindcast float32*", "ratio", "test", **bound)
    (found,) = judge("bcq", [PEER, OURS], [target], flags)
    assert (found.row, found.status) == (OURS.name, status)
    assert judge("ensemble", [OURS], [target], flags) == []


def test_memory_and_values_are_judged_by_their_own_bounds() -> None:
    memory = Target("bcq", "Hindcast*", "peak_memory_mb", "test", at_most=1500)
    value = Target("bcq", "d3rlpy", "value", "test", at_least=21)
    found = judge("bcq", [PEER, OURS], [memory, value], set())
    assert [(j.row, j.status) for j in found] == [("d3rlpy", "missed"), (OURS.name, "met")]


def test_every_target_belongs_to_a_row_that_exists() -> None:
    names = {
        (name, subject.name)
        for name, found in run.BENCHMARKS.items()
        for comparison in found.comparisons()
        for subject in comparison.subjects
    }
    names |= {("plan", f"snakemake -n, {jobs:,} jobs") for jobs in workflow.PLANNED["full"]}
    names.add(("memory", f"train romi_bcq, model buffer of {workflow.FULL.buffer:,} rows"))
    for target in read_targets():
        assert target.source and (target.at_least is None) != (target.at_most is None)
        rows = [Row(row, "", [1.0], ratios=[1.0], peak_memory_mb=1.0) for _, row in names]
        assert any(target.applies(name, row) for (name, _), row in zip(names, rows, strict=True)), (
            target
        )


def test_json_has_the_numbers_and_reads_back() -> None:
    target = Target("bcq", "Hindcast*", "ratio", "test", at_least=1.3)
    result = Result("bcq", "BCQ", [PEER, OURS], judge("bcq", [PEER, OURS], [target], set()))
    found = json.loads(json.dumps(as_json(MACHINE, [result], quick=True), allow_nan=False))
    assert set(found) == {"schema", "quick", "machine", "benchmarks"}
    assert (found["schema"], found["quick"], found["machine"]) == (1, True, MACHINE)
    (benchmark,) = found["benchmarks"]
    assert set(benchmark) == {"name", "title", "rows", "judgements", "profiles", "notes", "error"}
    peer, ours = benchmark["rows"]
    assert peer["value"] == {"median": 20.0, "low": 10.0, "high": 25.0} and peer["ratio"] is None
    assert ours["ratio"] == {"median": 2.0, "low": 1.2, "high": 3.0}
    assert ours["values"] == [40.0, 30.0, 30.0] and ours["against"] == "d3rlpy"
    (judgement,) = benchmark["judgements"]
    assert judgement["status"] == "met" and judgement["target"]["at_least"] == 1.3


def test_the_page_shows_ratio_target_and_profile() -> None:
    target = Target("bcq", "Hindcast*", "ratio", "a prototype", at_least=2.5)
    result = Result("bcq", "BCQ", [PEER, OURS], judge("bcq", [PEER, OURS], [target], set()))
    hot = {"operator": "aten::addmm", "share": 0.625, "milliseconds": 12.34, "calls": 7}
    result.profiles["Hindcast"] = [hot]
    result.notes.append("maze2d: another skipped, not installed")
    page = report.markdown(MACHINE, [result], quick=False)
    row = (
        "| Hindcast float32, R = 1 | 30 (30 to 40) | updates/CPU-s | 2 (1.2 to 3) | d3rlpy | "
        "at least 2.5 | missed | 1,234 |"
    )
    assert row in page.splitlines()
    assert "| d3rlpy | 20 (10 to 25) | updates/CPU-s |  |  |  |  |  |" in page.splitlines()
    assert "| `aten::addmm` | 62.5% | 12.3 | 7 |" in page.splitlines()
    assert "- maze2d: another skipped, not installed" in page.splitlines()
    assert "- target at least 2.5 (Hindcast*): a prototype" in page.splitlines()
    assert "| peers | d3rlpy 2.8.0 |" in page.splitlines()
    assert "busy" not in page and "Quick run" not in page
    assert "Quick run" in report.markdown(MACHINE, [result], quick=True)


def test_the_terminal_shows_the_same_cells() -> None:
    target = Target("bcq", "Hindcast*", "ratio", "a prototype", at_least=2.5)
    result = Result("bcq", "BCQ", [PEER, OURS], judge("bcq", [PEER, OURS], [target], set()))
    console = Console(record=True, width=200, file=io.StringIO())
    report.show(console, result)
    text = console.export_text()
    (line,) = (line for line in text.splitlines() if "Hindcast float32" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == report.cells(
        OURS, result.judgement(OURS)
    )
    assert "target at least 2.5 (Hindcast*): a prototype" in text


def test_a_busy_machine_is_told() -> None:
    result = Result("bcq", "BCQ", [Row("a", "s", [1.0], busy=1.5)])
    assert "up to 1.50 times their CPU time" in report.markdown(MACHINE, [result], quick=False)


@pytest.mark.parametrize("value", [(1234.5, "1,234"), (12.345, "12.3"), (0.01234, "0.0123")])
def test_numbers_have_three_digits(value: tuple[float, str]) -> None:
    assert report.number(value[0]) == value[1]


@pytest.mark.parametrize("comparison", comparisons(), ids=lambda each: each.group)
def test_every_subject_can_be_built(comparison: Comparison) -> None:
    names = [subject.name for subject in comparison.subjects]
    assert len(set(names)) == len(names)
    for subject in comparison.subjects:
        assert subject.against in (None, *names)
        module, _, function = subject.factory.partition(":")
        inspect.signature(getattr(importlib.import_module(module), function)).bind(
            **subject.options
        )


def test_training_is_warmed_up_past_the_denormals() -> None:
    training = [*run.BENCHMARKS["bcq"].comparisons(), *run.BENCHMARKS["ensemble"].comparisons()]
    assert all(each.full.warmup >= 800 for each in training)


def test_windows_alternate_and_ratios_pair_them() -> None:
    turns: list[str] = []

    class Clock:
        def __init__(self, name: str, cpu: list[float]) -> None:
            self.name, self.cpu = name, iter(cpu)

        def window(self, count: int) -> dict[str, float]:
            turns.append(f"{self.name}{count}")
            cpu = next(self.cpu)
            return {"units": 12.0, "cpu": cpu, "wall": 1.25 * cpu, "peak_mb": 10.0}

    subjects = (Subject("peer", "m:f", {}), Subject("ours", "m:f", {}, "peer", share=0.25))
    effort = Effort(5, 8, 2)
    workers = {"peer": Clock("p", [4.0, 6.0]), "ours": Clock("o", [2.0, 2.0])}
    both = Comparison("group", "u/s", subjects, effort, effort)
    peer, ours = Session(both, effort, workers, lambda _: None).measure()  # type: ignore[arg-type]
    assert turns == ["p8", "o2", "p8", "o2"]
    assert (peer.values, ours.values) == ([3.0, 2.0], [6.0, 6.0])
    assert ours.ratios == [2.0, 3.0] and peer.ratios == []
    assert (ours.busy, ours.peak_memory_mb) == (1.25, 10.0)


def test_units_are_those_of_the_trainers() -> None:
    assert facts.BFLOAT16_UNITS == trainers.BFLOAT16_UNITS


def test_what_the_machine_lacks_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = (
        Subject("peer", "m:f", {}, needs="d3rlpy"),
        Subject("half", "m:f", {}, needs=facts.BFLOAT16),
    )
    both = Comparison("group", "u/s", subjects, Effort(1, 1, 1), Effort(1, 1, 1))
    monkeypatch.setattr(run.facts, "missing_peers", lambda: {"d3rlpy"})
    monkeypatch.setattr(run.facts, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setitem(run.BENCHMARKS, "bcq", run.Benchmark("BCQ", lambda: [both]))
    result = run.measure("bcq", True, lambda _: None)
    assert result.notes == [
        "group: peer skipped, not installed",
        "group: half skipped, this CPU would emulate bfloat16",
    ]
    assert result.rows == [] and result.error is None


def test_a_worker_measures_and_tells_why_it_failed(tmp_path: Path) -> None:
    subject = Subject("data", f"{catalogue.OTHERS}:data", {}, prepared=False)
    options = {"task": "maze2d-umaze-v1", "transitions": 500}
    good = {**spec(subject), "options": options}
    with processes.Worker(good) as running:
        found = running.window(2)
    assert found["units"] == 1000.0 and found["cpu"] > 0 and found["peak_mb"] > 10
    with (
        processes.Worker({**good, "options": {**options, "task": "maze3d"}}) as running,
        pytest.raises(processes.ProcessError, match="maze3d"),
    ):
        running.window(1)


def test_a_profile_names_the_operators() -> None:
    torch = pytest.importorskip("torch")
    matrix = torch.ones(64, 64)

    def work(count: int) -> float:
        for _ in range(count):
            torch.mm(matrix, matrix)
        return float(count)

    rows = worker.profile(work, 5)
    assert {row["operator"]: row["calls"] for row in rows}["aten::mm"] == 5
    assert sum(row["share"] for row in rows) == pytest.approx(1.0, abs=0.2)


def test_a_command_is_measured_with_its_children() -> None:
    used = processes.run([sys.executable, "-c", "x = bytearray(60_000_000); print('done')"])
    assert used.output == "done\n" and used.peak_mb > 57 and used.cpu > 0
    with pytest.raises(processes.ProcessError, match="no such thing"):
        processes.run([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_the_bench_tier_plans_the_declared_number_of_jobs() -> None:
    with workflow.project(workflow.seeds_for(200), workflow.SMALL) as root:
        plan = make_plan("bench", root=root)
    trained = len(plan.results())
    kinds = [job.kind for job in plan.jobs.values()]
    assert trained == kinds.count("train") == 2 * kinds.count("data")
    # Each result is evaluated and merged after its training.
    total = len(plan.jobs) + 2 * trained + workflow.JOBS_ONCE
    assert abs(total - 200) <= workflow.JOBS_PER_SEED / 2
    assert workflow.planned_jobs("job  count\n---\ndata 2\ntotal          202\n") == 202


def test_the_memory_benchmark_trains_with_the_declared_buffer() -> None:
    with workflow.project(1, workflow.FULL) as root:
        jobs = make_plan("bench", root=root).jobs.values()
        (job,) = (job for job in jobs if job.spec.get("algo") == "romi_bcq")
        words = workflow.command(job, root)
    assert job.spec["hyperparameters"]["model_buffer_size"] == 4_000_000
    assert job.spec["hyperparameters"]["networks"] == "paper"
    assert job.spec["data"]["transitions"] == 1_000_000
    assert words[1:3] == ["-m", "algos.train"] and words[words.index("--fits") + 1].startswith(
        f"dynamics={root}/results/bench/fits/ensemble/"
    )


def test_machine_facts_are_complete() -> None:
    found = machine()
    assert {"cpu", "cores", "flags", "torch", "python", "hindcast", "date", "load"} <= set(found)
    assert set(found["flags"]) <= cpu_flags()


def test_the_command_writes_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run.facts, "machine", lambda: MACHINE)
    fake = run.Benchmark("planning", commands=lambda quick, told: [PEER, OURS])
    monkeypatch.setitem(run.BENCHMARKS, "plan", fake)
    assert run.main(["--only", "plan", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'benchmarks.md'}\n"
    content = json.loads((tmp_path / "out" / "benchmarks.json").read_text())
    assert [each["name"] for each in content["benchmarks"]] == ["plan"]
    assert OURS.name in (tmp_path / "out" / "benchmarks.md").read_text()


def test_a_failed_benchmark_is_an_error_after_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(quick: bool, told: object) -> list[Row]:
        raise processes.ProcessError("no room")

    monkeypatch.setattr(run.facts, "machine", lambda: MACHINE)
    monkeypatch.setitem(run.BENCHMARKS, "plan", run.Benchmark("planning", commands=fail))
    good = run.Benchmark("memory", commands=lambda quick, told: [OURS])
    monkeypatch.setitem(run.BENCHMARKS, "memory", good)
    assert run.main(["--only", "plan", "memory", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: plan: no room\n"
    page = (tmp_path / "benchmarks.md").read_text()
    assert "- failed: no room" in page and OURS.name in page
