"""The suite's own configuration: complete, sourced, and consistent with what tiers may do."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from paper_tables.overview import as_json, main, sheets
from paper_tables.plan import Plan, make_plan
from paper_tables.registry import Registry, read_papers, read_registry

ROOT = Path(__file__).resolve().parents[2]
SIZES = ("umaze", "medium", "large")
MAZE2D = {f"maze2d-{size}{kind}-v1" for size in SIZES for kind in ("", "-dense")}
ANTMAZE = {"antmaze-umaze-v0", "antmaze-umaze-diverse-v0"} | {
    f"antmaze-{size}-{kind}-v0" for size in SIZES[1:] for kind in ("play", "diverse")
}
ROBOTS = ("walker2d", "hopper", "halfcheetah")
GYM = {
    f"{robot}-{kind}-v2"
    for robot in ROBOTS
    for kind in ("random", "medium", "medium-replay", "medium-expert")
}
BASELINES = [
    "bc",
    "bcq",
    "bear",
    "brac_p",
    "brac_v",
    "bail",
    "cql",
    "mopo",
    "morel",
    "repb_sde",
    "combo",
]
OWN = ["romi_bcq", "romi_cql", "fomi_bcq", "fomi_cql", "romi_rbc_bcq"]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT / "config", ROOT)


@pytest.fixture(scope="module")
def paper() -> Plan:
    return make_plan("paper", ["romi"], ROOT)


def arms(plan: Plan, experiment: str) -> set[tuple[str, str]]:
    return {(arm.algo, arm.task) for arm in plan.arms if arm.experiment == experiment}


def test_all_tasks_and_algorithms_of_the_tables_are_declared(registry: Registry) -> None:
    assert len(MAZE2D | ANTMAZE | GYM) == 24
    assert set(registry.tasks) >= MAZE2D | ANTMAZE | GYM
    assert set(registry.algos) >= {*BASELINES, *OWN, "ensemble", "cvae", "rbc"}


def test_every_key_has_source_and_help(registry: Registry) -> None:
    for algo, name in ((a, n) for a in registry.algos.values() for n in a.keys):
        key = algo.keys[name]
        assert key.source and key.help, (algo.name, name)
        assert not (key.batchable and key.type in ("choice", "str", "bool")), (algo.name, name)


@pytest.mark.parametrize(
    ("experiment", "algos", "tasks"),
    [
        ("table1", [*BASELINES, "romi_bcq"], MAZE2D | ANTMAZE),
        ("table2", [*BASELINES, "romi_cql"], GYM),
        ("table3", ["bcq", "romi_bcq", "fomi_bcq"], MAZE2D | ANTMAZE),
        ("table4", ["bcq", "romi_bcq", "romi_rbc_bcq"], ANTMAZE),
        ("table5", ["ensemble"], MAZE2D | ANTMAZE | GYM),
        ("table8", [*BASELINES, "romi_bcq", "romi_cql"], MAZE2D | ANTMAZE | GYM),
        ("table9", ["romi_cql", "fomi_cql"], GYM),
        ("table10", ["romi_bcq"], MAZE2D),
        ("table11", ["romi_bcq"], ANTMAZE),
        ("figure3", ["bcq", "romi_bcq", "fomi_bcq", "mopo"], {"maze2d-umaze-v1"}),
        ("figure4", ["bcq", "romi_bcq", "fomi_bcq", "mopo"], {f"maze2d-{s}-v1" for s in SIZES[1:]}),
    ],
)
def test_arms_of_tables_and_figures(
    paper: Plan, experiment: str, algos: list[str], tasks: set[str]
) -> None:
    assert arms(paper, experiment) == set(itertools.product(algos, tasks))


@pytest.mark.parametrize(
    ("experiment", "lengths"), [("table10", [1, 5, 10, 20]), ("table11", [1, 5, 7, 10])]
)
def test_rollout_lengths(paper: Plan, experiment: str, lengths: list[int]) -> None:
    for task in MAZE2D if experiment == "table10" else ANTMAZE:
        found = [a for a in paper.arms if (a.experiment, a.task) == (experiment, task)]
        assert sorted(a.overrides["horizon"] for a in found) == lengths
        assert {a.overrides["horizon"]: a.cell for a in found}[5] == "base"


def test_both_directions_of_table_5_on_every_task(paper: Plan) -> None:
    found = [a for a in paper.arms if a.experiment == "table5"]
    assert len(found) == 48
    assert {a.cell for a in found} == {"base", "direction=forward"}


# Table 7 of the paper: horizon, share of imagined rows, rollout policy; prioritised starts.
SETTINGS = {
    "maze2d-umaze-v1": (5, 0.7, "uniform", False),
    "maze2d-umaze-dense-v1": (5, 0.7, "uniform", False),
    "maze2d-medium-v1": (5, 0.5, "uniform", False),
    "maze2d-large-dense-v1": (5, 0.3, "uniform", False),
    "antmaze-umaze-v0": (5, 0.1, "cvae", True),
    "antmaze-large-diverse-v0": (5, 0.1, "cvae", True),
    "walker2d-medium-v2": (1, 0.1, "cvae", False),
    "hopper-medium-replay-v2": (5, 0.1, "uniform", False),
    "halfcheetah-random-v2": (1, 0.1, "cvae", False),
}


@pytest.mark.parametrize("task", SETTINGS)
@pytest.mark.parametrize("algo", ["romi_bcq", "romi_cql", "fomi_bcq", "fomi_cql"])
def test_settings_of_each_data_set(registry: Registry, algo: str, task: str) -> None:
    values = registry.algos[algo].for_task(task)
    keys = ("horizon", "eta", "rollout_policy", "prioritize_starts")
    assert tuple(values[key] for key in keys) == SETTINGS[task]


def test_terminal_rows_are_fitted_on_antmaze_only(registry: Registry) -> None:
    for fit in ("ensemble", "cvae", "rbc"):
        found = {t for t in registry.tasks if registry.algos[fit].for_task(t)["include_terminal"]}
        assert found & (MAZE2D | ANTMAZE | GYM) == ANTMAZE


def test_directions_of_fits(registry: Registry) -> None:
    for algo in OWN:
        backward = algo.startswith("romi")
        for slot in registry.algos[algo].fits.values():
            assert slot.set["direction"] == ("backward" if backward else "forward")


@pytest.mark.parametrize("tier", sorted(read_registry(ROOT / "config", ROOT).tiers))
def test_tiers_plan_and_set_budgets_only(registry: Registry, tier: str) -> None:
    settings = registry.tiers[tier]
    assert make_plan(tier, root=ROOT).arms
    budgets = [settings.budgets, *settings.task_budgets.values()]
    for algo, values in itertools.chain.from_iterable(b.items() for b in budgets):
        for key in values:
            assert registry.algos[algo].keys[key].budget, (tier, algo, key)


def test_judged(registry: Registry) -> None:
    found = {name: tier.judged for name, tier in registry.tiers.items()}
    expected = {"smoke": "none", "quick": "listed", "standard": "listed", "paper": "all"}
    assert {name: found[name] for name in expected} == expected


def test_paper_tier_keeps_every_published_budget(registry: Registry, paper: Plan) -> None:
    assert registry.tiers["paper"].budgets == registry.tiers["paper"].task_budgets == {}
    experiments = read_papers(ROOT / "paper_tables")["romi"].experiments
    with_arms = {name for name, experiment in experiments.items() if experiment.arms}
    assert {arm.experiment for arm in paper.arms} == with_arms
    bcq = next(arm for arm in paper.arms if arm.algo == "bcq")
    assert (bcq.hyperparameters["updates"], bcq.hyperparameters["networks"]) == (1000000, "paper")


def test_rare_arms_have_their_controls(paper: Plan) -> None:
    cells = {(a.experiment, a.algo, a.cell) for a in paper.arms}
    assert {
        ("no_imagination", "romi_bcq", "eta=0.0"),
        ("prioritized_data", "bcq", "prioritize_env_batches=true"),
        ("rollout_policy", "romi_bcq", "rollout_policy=cvae"),
        ("terminal_mode", "romi_bcq", "terminal_mode=fixed"),
        ("start_field", "romi_bcq", "start_field=next_state"),
        ("model_targets", "romi_bcq", "dynamics.normalize_targets=true"),
        ("maze2d_small", "bcq", "networks=small"),
    } <= cells
    umaze = {a.cell for a in paper.arms if (a.experiment, a.task) == ("eta", "maze2d-umaze-v1")}
    assert umaze == {"eta=0.1", "eta=0.3", "eta=0.5", "base", "eta=0.9"}


def test_plan_imports_nothing_heavy() -> None:
    """Planning, its command and the Snakefile's part run where nothing else is installed."""
    blocked = [
        "torch",
        "snakemake",
        "algos",
        "envs",
        "analysis",
        "numpy",
        "pandas",
        "mujoco",
        "gymnasium",
        "rich",
    ]
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
import paper_tables.dag
from paper_tables.overview import main
sys.exit(main(["--tier", "paper"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("paper: ")


def test_overview_counts_the_grid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tier", "paper", "--root", str(ROOT)]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    plan = make_plan("paper", root=ROOT)
    kept = [job for job in plan.jobs.values() if job.kind != "data"]
    blocked = [job for job in plan.blocked.values() if job.kind != "data"]
    total = next(line for line in lines if line[0] == "total")
    assert total[1:3] == [str(len(kept)), str(sum(len(job.seeds) for job in kept))]
    assert total[4:6] == [str(len(blocked)), str(sum(len(job.seeds) for job in blocked))]
    combo = next(line for line in lines if line[0] == "combo")
    assert combo[1:3] == ["0", "0"] and combo[4:6] == ["270", "270"]


def test_overview_as_json_and_missing() -> None:
    plan = make_plan("paper", root=ROOT)
    content = json.loads(as_json(plan))
    assert len(content["arms"]) == len(plan.arms)
    assert len(content["jobs"]) == len(plan.jobs)
    missing = json.loads(as_json(plan, missing_only=True))["arms"]
    assert len(missing) == sum(arm.status == "not implemented" for arm in plan.arms) > 0
    (sheet,) = sheets(plan, missing_only=True)
    assert any("algos/offline/combo.py does not exist" in row[0] for row in sheet.rows)
    assert sum(int(row[1]) for row in sheet.rows) == len(missing)
