"""Targets, settings of the command line, and the tools that check the Snakefile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TASK = "maze2d-umaze-v1"


def trained(planned: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """(algorithm, cell) of the training jobs."""
    parts = [output.split("/") for rule, output in planned if rule == "train"]
    return {(part[3], part[5]) for part in parts}


def test_targets_of_a_paper_an_experiment_and_an_axis(fresh: Any) -> None:
    fresh.edit("config/tiers.yaml", lambda c: c["tiers"]["tiny"].update(experiments={"romi/*": {}}))
    main = {("bc", "base"), ("bcq", "base"), ("romi_bcq", "base")}
    length = {("romi_bcq", "base"), ("romi_bcq", "horizon=1")}
    assert trained(fresh.planned("romi_main")) == main
    assert trained(fresh.planned("romi_length")) == length
    assert trained(fresh.planned("ablation_horizon")) == length
    assert trained(fresh.planned("romi")) == main | length


def test_a_tier_is_a_target_whatever_the_configured_tier(fresh: Any) -> None:
    planned = fresh.planned("other", tier="tiny")
    assert {output.split("/")[1] for rule, output in planned if rule == "train"} == {"other"}


def test_a_misspelt_module_is_one_line_on_standard_error(fresh: Any) -> None:
    command = ("-n", "--quiet", "all", "--config", "tier=tiny")
    assert "warning" not in fresh.snakemake(*command).stderr
    module = {"implementation": "algos.offline.bgc:BCQ"}
    fresh.edit("config/algos/bcq.yaml", lambda c: c.update(module))
    done = fresh.snakemake(*command)
    found = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert (done.returncode, len(found)) == (0, 1)
    assert "tier tiny: 1 arm cannot run (bcq: algos/offline/bgc.py does not exist; " in found[0]
    assert "warning" not in done.stdout


def test_a_single_table_or_result_can_be_asked_for(done: Any) -> None:
    (done.root / "results/tiny/tables/romi/table3.md").unlink()
    assert done.planned("results/tiny/tables/romi/table3.md") == {
        ("tables", "results/tiny/claims.csv")
    }
    result = f"results/tiny/runs/bcq/{TASK}/base/seeds0-1/result.json"
    (done.root / result).unlink()
    assert done.planned(result) == {("result", result)}


def test_report_of_a_target_runs_on_what_is_there(done: Any) -> None:
    before = len(done.calls())
    done.run("romi_main")
    assert done.calls()[before:] == [["-m", "analysis.report", "--tier", "tiny"]]
    assert done.planned("all") == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["all", "--config", "tier=tinny"], "tiers.yaml: unknown tier 'tinny'; nearest: 'tiny'"),
        (["all", "--config", "teir=tiny"], "--config: unknown setting 'teir'; nearest: 'tier'"),
        (["all", "--config", "device=gpu"], "--config: unknown device 'gpu'"),
        (["all", "--config", "data_source=D4RL"], "unknown data_source 'D4RL'; nearest: 'd4rl'"),
        (["romi_length", "--config", "tier=tiny"], "romi_length: tier 'tiny' runs nothing of it"),
        (["all", "--config", "config_dir=elsewhere"], "elsewhere/tasks.yaml: cannot be read"),
        (
            [f"results/tiny/runs/bcq/{TASK}/phi=7.0/seeds0-1/run.json", "--config", "tier=tiny"],
            "no arm of the planned tiers asks for it",
        ),
    ],
)
def test_mistakes_are_told(fresh: Any, words: list[str], message: str) -> None:
    done = fresh.snakemake("-n", *words)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr


def test_settings_reach_jobs_and_report(fresh: Any) -> None:
    fresh.edit("config/tiers.yaml", lambda c: c["tiers"]["tiny"].update(seed_block=1))
    done = fresh.snakemake(
        "-n", "all", "--config", "tier=tiny", "device=cuda", "data_source=d4rl", "--printshellcmds"
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "analysis.report --tier tiny --device cuda --source d4rl" in text
    assert re.search(r"rule train:(?:\n {4}.*)+gpu=1", text)
    assert len(set(re.findall(r"data/\S+/d4rl-[0-9a-f]{8}\.hdf5", text))) == 1


def test_the_device_reaches_the_jobs_and_reruns_nothing(done: Any) -> None:
    for module in ("algos.fit", "algos.train", "algos.evaluate"):
        assert done.environment(module) == {"device=cpu config="}
    shell = done.snakemake("-n", "-F", "-p", "all", "--config", "tier=tiny", "device=cuda")
    text = shell.stdout + shell.stderr
    assert text.count("HINDCAST_DEVICE=cuda python -m algos.") == 7
    again = done.snakemake("-n", "all", "--config", "tier=tiny", "device=cuda")
    assert "rule train:" not in again.stdout + again.stderr


def test_other_folders_reach_jobs_and_report(fresh: Any) -> None:
    (fresh.root / "config").rename(fresh.root / "my own")
    (fresh.root / "paper_tables").rename(fresh.root / "mine")
    words = ["all", "--config", "tier=tiny", "config_dir=my own", "papers_dir=mine"]
    done = fresh.snakemake("--cores", "2", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    for module in ("algos.fit", "algos.train", "algos.evaluate"):
        assert fresh.environment(module) == {"device=cpu config=my own"}
    options = ["--tier", "tiny", "--config", "my own", "--papers-dir", "mine"]
    assert fresh.calls("analysis.report") == [["-m", "analysis.report", *options]]


def test_long_cells_are_spelled_out_beside_their_seeds(fresh: Any) -> None:
    keys = ("actor_learning_rate", "critic_learning_rate", "vae_learning_rate", "kl_weight")
    settings = dict.fromkeys((*keys, "soft_minimum_weight"), 0.125)
    arm = {"algorithms": ["bcq"], "set": settings}
    path = "paper_tables/romi/experiments.yaml"
    fresh.edit(path, lambda c: c["experiments"]["main"].update(arms=[arm]))
    fresh.run("all")
    (name,) = fresh.root.glob("results/tiny/runs/bcq/*/cell-*/cell.txt")
    assert name.read_text() == ",".join(f"{key}=0.125" for key in sorted(settings)) + "\n"
    assert (name.parent / "seeds0-1/result.json").exists()


def test_another_workflow_can_import_this_one(fresh: Any) -> None:
    other = fresh.root / "other"
    other.mkdir()
    (other / "Snakefile").write_text(
        "module hindcast:\n"
        f'    snakefile: "{fresh.root}/Snakefile"\n'
        f'    config: {{"tier": "tiny", "config_dir": "{fresh.root}/config", '
        f'"papers_dir": "{fresh.root}/paper_tables"}}\n'
        "use rule * from hindcast as hindcast_*\n"
    )
    done = fresh.snakemake("-n", "-d", str(other), "-s", str(other / "Snakefile"), "hindcast_all")
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert text.count("rule hindcast_train:") == 3


def test_lint_and_format() -> None:
    lint = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    form = [str(Path(sys.executable).with_name("snakefmt")), "--check"]
    files = ["Snakefile", "workflow/Snakefile"]
    done = subprocess.run([*form, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_catalogue_entry_point_is_the_same_workflow(fresh: Any) -> None:
    (fresh.root / "workflow").mkdir()
    entry = (ROOT / "workflow/Snakefile").read_text()
    (fresh.root / "workflow/Snakefile").write_text(entry)
    done = fresh.snakemake("-n", "all", "-s", "workflow/Snakefile", "--config", "tier=tiny")
    assert done.returncode == 0 and "rule train:" in done.stdout + done.stderr
    catalogue = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert set(catalogue["usage"]) <= {"mandatory-flags", "software-stack-deployment", "report"}


@pytest.mark.parametrize("name", ["default", "slurm", "kubernetes"])
def test_profiles_never_rerun_for_changed_code(name: str) -> None:
    profile = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    assert profile["rerun-triggers"] == ["mtime", "params", "input", "software-env"]
    assert profile["keep-going"] and profile["rerun-incomplete"]
    assert profile["scheduler"] == "greedy" and "keep-incomplete" not in profile


@pytest.mark.slow
def test_ten_thousand_jobs_are_planned_in_seconds(fresh: Any) -> None:
    import resource

    grid = {"horizon": list(range(1, 11))}
    arm = {"algorithms": ["romi_bcq"], "grid": grid}

    def large(content: Any) -> None:
        content["experiments"]["main"]["arms"] = [arm]

    fresh.edit("paper_tables/romi/experiments.yaml", large)
    fresh.edit("config/tiers.yaml", lambda c: c["tiers"]["other"].update(seeds=313))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = fresh.snakemake("-n", "-q", "rules", "all", "--config", "tier=other")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = done.stdout + done.stderr
    jobs = int(re.search(r"^total\s+(\d+)", text, re.M)[1])  # type: ignore[index]
    assert jobs > 10000
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 40
    )  # 17-19 measured


def test_fits_are_named_by_where_they_really_lie(
    fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With results in a bucket Snakemake hands out local copies of inputs in another folder."""
    from types import SimpleNamespace

    from paper_tables.dag import Dag

    monkeypatch.chdir(fresh.root)
    dag = Dag({"tier": "tiny"})
    wildcards = SimpleNamespace(
        tier="tiny", algo="romi_bcq", task=TASK, cell="base", seeds="seeds0-1"
    )
    fit = f"results/tiny/fits/ensemble/{TASK}/base/seeds0-1"
    files = [f"{fit}/fit.json", f"{fit}/model.safetensors"]
    assert dag.fit_files(wildcards) == files
    assert dag.fit_options(wildcards, files) == ["--fits", f"dynamics={fit}"]
    copies = [f"cache/{file}" for file in files]
    assert dag.fit_options(wildcards, copies) == ["--fits", f"dynamics=cache/{fit}"]
    wildcards.algo = "bc"
    assert dag.fit_options(wildcards, []) == []
