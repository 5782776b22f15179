"""Every paper as data: what it claims, reports and lays out is declared, sourced and consistent."""

from __future__ import annotations

import csv
import fnmatch
import functools
import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from analysis.claim_file import COLUMNS as CLAIM_COLUMNS
from analysis.claim_file import Claim, read_claims
from analysis.evidence import find
from analysis.layout import Known, Layout, experiment_of, read_layout
from analysis.load import ArmResult, Results
from analysis.published import COLUMNS as REFERENCE_COLUMNS
from analysis.published import Published, read_published
from paper_tables.claim_arms import ArmPattern
from paper_tables.plan import Arm, Plan, make_plan
from paper_tables.registry import read_papers, read_registry
from paper_tables.schema import parse

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "paper_tables"
REGISTRY = read_registry(ROOT / "config", ROOT)
PAPERS = read_papers(FOLDER)
TIERS = tuple(REGISTRY.tiers)

every_paper = pytest.mark.parametrize("paper", PAPERS)


@functools.cache
def claims(paper: str) -> tuple[Claim, ...]:
    path = FOLDER / paper / "claims.csv"
    return tuple(read_claims(path, paper, TIERS)) if path.is_file() else ()


@functools.cache
def published(paper: str) -> Published:
    return read_published(FOLDER / paper / "reference.csv")


@functools.cache
def layout(paper: str) -> Layout:
    return read_layout(FOLDER / paper / "tables.yaml", TIERS)


@functools.cache
def plan(tier: str) -> Plan:
    return make_plan(tier, root=ROOT)


@functools.cache
def planned(tier: str, paper: str) -> Results:
    """A paper's arms in a tier, without any run."""
    arms = (arm for arm in plan(tier).arms if arm.paper == paper)
    return Results(tier, tuple(ArmResult(arm) for arm in arms))


@every_paper
def test_every_arm_of_a_claim_is_run_by_the_tiers_that_judge_it(paper: str) -> None:
    for claim in claims(paper):
        arms = list(itertools.product((*claim.left, *claim.right), claim.tasks))
        for tier, place in claim.judged_on.items():
            for pattern, task in arms:
                arm, reason = find(
                    planned(tier, paper), f"{paper}/{place.experiment}", pattern, task
                )
                assert arm is not None, f"{claim.id}: {tier}: {pattern} on {task}: {reason}"


@every_paper
def test_layouts_name_only_what_is_declared(paper: str) -> None:
    known = Known(REGISTRY.algos, REGISTRY.tasks, PAPERS[paper].experiments)
    known.check(layout(paper), FOLDER / paper / "tables.yaml")


@every_paper
def test_the_paper_tier_fills_every_line_of_every_table(paper: str) -> None:
    for name, table in layout(paper).tables.items():
        for section in table.sections:
            experiment = experiment_of(section.experiment, "paper", TIERS)
            for line, task in itertools.product(table.lines, section.tasks):
                for algo in [line.algo] if line.algo else line.pair:
                    pattern = ArmPattern(algo, line.settings)
                    arm, reason = find(
                        planned("paper", paper), f"{paper}/{experiment}", pattern, task
                    )
                    assert arm is not None, f"{name}: {algo} on {task}: {reason}"


@every_paper
def test_published_numbers_are_of_algorithms_and_tasks_that_are_known(paper: str) -> None:
    tables = layout(paper).tables.values()
    lines = [line for table in tables for line in table.lines]
    settings = {table.table for table in tables if table.kind == "settings"}
    known = {*REGISTRY.algos, *(line.reference for line in lines if line.reference)}
    for value in published(paper).values:
        assert fnmatch.filter(REGISTRY.tasks, value.task), value
        parts = value.algo.split("-") if value.metric.endswith("_difference") else [value.algo]
        unnamed = value.algo == value.role or value.table in settings
        assert unnamed or set(parts) <= known, value


@every_paper
def test_no_published_number_stands_twice(paper: str) -> None:
    keys = [(v.table, v.task, v.algo, v.cell, v.metric, v.role) for v in published(paper).values]
    assert len(keys) == len(set(keys))


@every_paper
def test_everything_says_where_it_is_from(paper: str) -> None:
    for name, experiment in PAPERS[paper].experiments.items():
        assert experiment.title and experiment.source, name
    for claim in claims(paper):
        assert claim.claim and claim.source and claim.protocol, claim.id
        assert claim.margin == 0 or claim.note or paper == "romi", f"{claim.id}: margin, no reason"
        assert claim.contradicted == "no" or claim.note, f"{claim.id}: contradicted by what?"
    for value in published(paper).values:
        assert value.table, value
        assert not math.isnan(value.mean) or value.note, value


def test_ids_of_claims_are_unique_over_all_papers() -> None:
    ids = [claim.id for paper in PAPERS for claim in claims(paper)]
    assert len(ids) == len(set(ids)) > 100


@functools.cache
def numbers(paper: str) -> dict[tuple[str, str, str, str], float]:
    """Published means of plain arms by table, task, algorithm and metric."""
    return {
        (value.table, value.task, value.algo, value.metric): value.mean
        for value in published(paper).values
        if value.cell == "base"
    }


def gaps(paper: str, claim: Claim) -> Iterator[float]:
    """Left minus right in the paper's own numbers, wherever one table prints both."""
    metric = claim.metric.rpartition(".")[2]
    tables = dict.fromkeys(table for table, *_ in numbers(paper))
    for table, task in itertools.product(tables, claim.tasks):
        for left, right in itertools.product(claim.left, claim.right):
            keys = [(table, task, arm.algo, metric) for arm in (left, right)]
            if not (left.settings or right.settings) and all(k in numbers(paper) for k in keys):
                yield numbers(paper)[keys[0]] - numbers(paper)[keys[1]]


@every_paper
def test_claims_against_the_papers_own_numbers_are_flagged(paper: str) -> None:
    for claim in claims(paper):
        found = list(gaps(paper, claim))
        wanted = claim.count[0] if claim.count else len(found)
        if claim.kind not in ("greater", "count") or not found or len(found) < wanted:
            continue
        holds = sum(gap > 0 for gap in found) >= wanted
        assert holds or claim.contradicted != "no", (claim.id, found)
        assert not holds or claim.contradicted != "yes", (claim.id, found)


def test_the_guide_to_a_papers_files_names_every_column_and_a_table_that_is_read() -> None:
    guide = (ROOT / "docs/results.md").read_text(encoding="utf-8").partition("## Adding a claim")[2]
    _, claim_part, reference_part, table_part = re.split(r"^\*\*`\w+\.\w+`\*\*", guide, flags=re.M)
    for text, columns in ((claim_part, CLAIM_COLUMNS), (reference_part, REFERENCE_COLUMNS)):
        cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
        assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(columns)
    example = yaml.safe_load(table_part.partition("```yaml")[2].partition("```")[0])
    known = Known(REGISTRY.algos, REGISTRY.tasks, PAPERS["bmil"].experiments)
    known.check(parse(Layout, example, "docs/results.md"), ROOT / "docs/results.md")


# --- BMIL -------------------------------------------------------------------------------------

BMIL_TASKS = {
    "fetch-push-v0",
    "fetch-pick-and-place-v0",
    "relocate-v0",
    *(
        f"{agent}-{maze}-v0"
        for agent in ("point", "ant")
        for maze in ("umaze", "room5x11", "corridor7x7")
    ),
}
# Settings of the released code: share of demonstration rows, coefficient of the perturbation,
# rollout length at the end, epochs, updates of an epoch, rows of a minibatch, demonstrations.
BMIL_SETTINGS = {
    "fetch-push-v0": (0.5, 3.0, 1, 200, 100, 64, 5),
    "fetch-pick-and-place-v0": (0.5, 30.0, 3, 200, 100, 64, 10),
    "point-umaze-v0": (0.8, 40.0, 10, 800, 250, 256, 20),
    "point-room5x11-v0": (0.8, 1.0, 10, 800, 250, 256, 20),
    "point-corridor7x7-v0": (0.8, 1.0, 10, 800, 250, 256, 20),
    "ant-umaze-v0": (0.95, 40.0, 10, 400, 250, 256, 20),
    "ant-room5x11-v0": (0.9, 10.0, 10, 400, 500, 256, 20),
    "ant-corridor7x7-v0": (0.95, 10.0, 10, 400, 500, 256, 20),
    "relocate-v0": (0.8, 3.0, 10, 600, 50, 64, 20),
}
# First and last epoch of the growth of traces (push has none: its traces are one step long).
BMIL_GROWTH = {
    "fetch-pick-and-place-v0": (1, 200),
    "point-corridor7x7-v0": (100, 800),
    "ant-room5x11-v0": (100, 400),
    "relocate-v0": (100, 600),
}


def bmil() -> list[Arm]:
    return [result.arm for result in planned("paper", "bmil").arms]


@pytest.mark.parametrize("task", BMIL_SETTINGS)
def test_bmil_settings_of_each_task(task: str) -> None:
    keys = ("demonstration_share", "action_coefficient", "horizon", "epochs", "epoch_updates")
    values = REGISTRY.algos["bmil_code"].for_task(task)
    found = (*(values[key] for key in keys), values["batch_size"], values["demonstrations"])
    assert found == BMIL_SETTINGS[task]
    for algo in ("il_bc", "vins", "bmil_paper"):  # the same updates for every method
        own = REGISTRY.algos[algo].for_task(task)
        shared = ("epochs", "epoch_updates", "batch_size", "demonstrations", "robustness_starts")
        assert [own[key] for key in shared] == [values[key] for key in shared]
    assert values["bounded_observations"] == task.startswith(("point", "ant"))
    assert values["repeat"] == (10 if task.startswith("fetch") else 1)


@pytest.mark.parametrize("task", BMIL_GROWTH)
def test_bmil_traces_grow_between_the_epochs_of_the_code(task: str) -> None:
    values = REGISTRY.algos["bmil_code"].for_task(task)
    epochs = values["epochs"]
    found = round(values["horizon_from"] * epochs), round(values["horizon_to"] * epochs)
    assert found == BMIL_GROWTH[task]


def test_bmil_presets_differ_in_what_paper_and_code_say() -> None:
    code, paper = (
        REGISTRY.algos[name].for_task("fetch-push-v0") for name in ("bmil_code", "bmil_paper")
    )
    assert {key: (code[key], paper[key]) for key in code if code[key] != paper[key]} == {
        "log_variance_bound": ("released", "soft"),
        "sampled_scale": ("variance", "deviation"),
        "holdout": ("released", "unique"),
        "resample_width": ("action_deviation", "absolute"),
        "perturbed_steps": ("all", "first"),
        "action_coefficient": (3.0, 0.1),
    }
    forward = REGISTRY.algos["bmil_forward"].for_task("fetch-push-v0")
    assert {key: forward[key] for key in code if code[key] != forward[key]} == {
        "direction": "forward",
        "action_selection": "policy",
        "model_width": 362,
    }


def test_bmil_runs_every_method_on_all_nine_tasks() -> None:
    arms = [arm for arm in bmil() if arm.experiment == "table1"]
    methods = ("il_bc", "vins", "bmil_code")
    assert {(a.algo, a.task) for a in arms} == set(itertools.product(methods, BMIL_TASKS))
    assert {(a.cell, a.stage) for a in arms} == {("base", "train")}


def test_bmil_tunes_on_seeds_that_are_never_judged() -> None:
    tuned = {seed for a in bmil() if a.experiment == "calibration" for seed in a.seeds}
    judged = {seed for a in bmil() if a.experiment != "calibration" for seed in a.seeds}
    assert min(tuned) == 101 and not tuned & judged
    places = {place.experiment for claim in claims("bmil") for place in claim.judged_on.values()}
    assert "calibration" not in places


def test_bmil_claims_of_the_specification_are_all_there() -> None:
    ids = {claim.id for claim in claims("bmil")}
    for number in range(1, 30):
        assert any(i.startswith(f"BMIL-C{number:02d}") for i in ids), number


def test_bmil_ratios_are_those_of_the_printed_means() -> None:
    """Within what rounding allows; on pick and place the forward model's ratio is not."""
    values = {(v.table, v.task, v.algo, v.metric): v.mean for v in published("bmil").values}
    beyond = set()
    for (table, task, algo, metric), ratio in values.items():
        if metric != "robustness_ratio":
            continue
        own, bc = (values[table, task, name, "robustness"] for name in (algo, "il_bc"))
        low, high = (own - 0.05) / (bc + 0.05), (own + 0.05) / (bc - 0.05)
        if algo != "il_bc" and not low - 0.005 <= ratio <= high + 0.005:
            beyond.add((task, algo))
    assert beyond == {("fetch-pick-and-place-v0", "bmil_forward")}


def test_bmil_table_1_is_complete() -> None:
    with (FOLDER / "bmil/reference.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "1"]
    found = {(row["task"], row["algo"], row["metric"]) for row in rows}
    metrics = ("robustness", "robustness_ratio")
    assert found == set(itertools.product(BMIL_TASKS, ("il_bc", "vins", "bmil_code"), metrics))
    spreads = {(row["metric"], row["spread_kind"]) for row in rows}
    assert spreads == {("robustness", "ci95"), ("robustness_ratio", "none")}


def test_bmil_runs_on_fetch_and_point_mazes_and_says_what_is_missing_elsewhere() -> None:
    missing = ("ant-", "relocate-")
    for arm in bmil():
        if arm.task.startswith(missing):
            assert arm.status == "not implemented" and arm.results == ()
            assert "is declared, not implemented" in str(arm.reason)
        else:
            assert arm.status == "planned", f"{arm.algo} on {arm.task}: {arm.reason}"
