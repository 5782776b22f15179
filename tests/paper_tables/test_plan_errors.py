"""Every mistake in a file is one line with the file, the key and the nearest name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from paper_tables.errors import PlanError
from paper_tables.overview import main

LEARNER = "config/algos/learner.yaml"
IMAGINER = "config/algos/imaginer.yaml"
TIERS = "config/tiers.yaml"
TASKS = "config/tasks.yaml"
PAPER = "paper_tables/made/experiments.yaml"


def message(project: Any, tier: str = "tiny", **options: Any) -> str:
    with pytest.raises(PlanError) as caught:
        project.plan(tier, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def tiny(**changes: Any) -> Callable[[Any], None]:
    return lambda content: content["tiers"]["tiny"].update(changes)


def arms(*groups: dict[str, Any]) -> Callable[[Any], None]:
    return lambda content: content["experiments"]["main"].update(arms=list(groups))


# file, change, words of the message in order
MISTAKES: dict[str, tuple[str, Callable[[Any], None], list[str]]] = {
    "tier key": (TIERS, tiny(seed=3), [TIERS, "tiers.tiny", "key 'seed'", "'seeds'"]),
    "budget of no algorithm": (
        TIERS,
        tiny(budgets={"lerner": {"updates": 1}}),
        [TIERS, "budgets.lerner", "algorithm 'lerner'", "'learner'"],
    ),
    "budget of no key": (
        TIERS,
        tiny(budgets={"learner": {"update": 1}}),
        [TIERS, "budgets.learner", "key of learner 'update'", "'updates'"],
    ),
    "budget of the method": (
        TIERS,
        tiny(budgets={"learner": {"rate": 0.5}}),
        [TIERS, "budgets.learner", "budget key 'rate'", "'updates'", "never the method"],
    ),
    "task budget of the method": (
        TIERS,
        tiny(task_budgets={"maze-*": {"learner": {"clip": True}}}),
        [TIERS, "task_budgets.maze-*.learner", "budget key 'clip'"],
    ),
    "budget of a wrong type": (
        TIERS,
        tiny(budgets={"learner": {"updates": 1.5}}),
        [TIERS, "budgets.learner: updates", "1.5 is not of type int"],
    ),
    "budget out of range": (
        TIERS,
        tiny(budgets={"learner": {"updates": -1}}),
        [TIERS, "updates", "-1 is out of range [0, inf]"],
    ),
    "seeds that fill no block": (
        TIERS,
        tiny(seeds=3),
        [TIERS, "main: 3 seeds are not a multiple of", "seed_block 2"],
    ),
    "selected seeds that fill no block": (
        TIERS,
        tiny(experiments={"made/main": [{"seeds": 5}]}),
        [TIERS, "main: 5 seeds are not a multiple of", "seed_block 2"],
    ),
    "seeds that fill no block of one algorithm": (
        TIERS,
        tiny(seeds=3, seed_block={"learner": 2}),
        [TIERS, "main: 3 seeds are not a multiple of learner's seed_block 2"],
    ),
    "block of an unknown algorithm": (
        TIERS,
        tiny(seed_block={"lerner": 2}),
        [TIERS, "seed_block: unknown algorithm 'lerner'", "'learner'"],
    ),
    "experiment": (
        TIERS,
        tiny(experiments={"made/mian": {}}),
        [TIERS, "experiment 'made/mian'", "'made/main'"],
    ),
    "selected task": (
        TIERS,
        tiny(experiments={"made/main": {"tasks": ["maze_a"]}}),
        [TIERS, "task 'maze_a'", "'maze-a'"],
    ),
    "selected algorithm": (
        TIERS,
        tiny(experiments={"made/main": {"algorithms": ["imagine"]}}),
        [TIERS, "algorithm 'imagine'", "'imaginer'"],
    ),
    "selected task that the experiment lacks": (
        TIERS,
        tiny(experiments={"made/main": {"tasks": ["maze-a", "robot-a"]}}),
        [
            f"{TIERS}: tiny: experiments.made/main: tasks: 'robot-a' selects nothing",
            "the experiment has maze-a, maze-b",
        ],
    ),
    "selected algorithm that the experiment lacks": (
        TIERS,
        tiny(experiments={"made/length": [{}, {"algorithms": ["learner"]}]}),
        [
            f"{TIERS}: tiny: experiments.made/length: algorithms: 'learner' selects nothing",
            "the experiment has imaginer",
        ],
    ),
    "task that no experiment of a pattern has": (
        TIERS,
        tiny(experiments={"made/*": {"tasks": ["robot-a"]}}),
        [TIERS, "experiments.made/*: tasks: 'robot-a' selects nothing", "has maze-a, maze-b"],
    ),
    "key of a selection": (
        TIERS,
        tiny(experiments={"made/main": {"taks": ["maze-a"]}}),
        [TIERS, "key 'taks'", "'tasks'"],
    ),
    "key of a listed selection": (
        TIERS,
        tiny(experiments={"made/main": [{"sedes": 4}]}),
        [TIERS, "key 'sedes'", "'seeds'"],
    ),
    "data size of no task": (
        TIERS,
        tiny(data={"transitions": {"maze-c": 5}}),
        [TIERS, "data", "task 'maze-c'", "'maze-"],
    ),
    "runs per job of no algorithm": (
        TIERS,
        tiny(runs_per_job={"lerner": 2}),
        [TIERS, "runs_per_job", "'lerner'", "'learner'"],
    ),
    "judged": (TIERS, tiny(judged="some"), [TIERS, "tiers.tiny.judged", "'none', 'listed' or"]),
    "arm's algorithm": (
        PAPER,
        arms({"algorithms": ["learnr"]}),
        [PAPER, "main: algorithms", "algorithm 'learnr'", "'learner'"],
    ),
    "arm's task": (
        PAPER,
        lambda c: c["experiments"]["main"].update(tasks=["mazs"]),
        [PAPER, "main: tasks", "task 'mazs'", "'mazes'"],
    ),
    "pattern without a task": (
        PAPER,
        lambda c: c["experiments"]["main"].update(tasks=["gym-*"]),
        [PAPER, "main: tasks", "task 'gym-*'"],
    ),
    "arm's key": (
        PAPER,
        arms({"algorithms": ["learner"], "set": {"rat": 0.1}}),
        [PAPER, "main", "key of learner 'rat'", "'rate'"],
    ),
    "grid's value": (
        PAPER,
        arms({"algorithms": ["learner"], "grid": {"mode": ["fancy", "plane"]}}),
        [PAPER, "main: mode", "choice 'plane'", "'plain'"],
    ),
    "value out of range": (
        PAPER,
        arms({"algorithms": ["learner"], "set": {"rate": 1.5}}),
        [PAPER, "main: rate", "1.5 is out of range [0, 1]"],
    ),
    "not a number": (
        PAPER,
        arms({"algorithms": ["learner"], "set": {"rate": float("nan")}}),
        [PAPER, "main: rate", "nan is out of range"],
    ),
    "bool for a number": (
        PAPER,
        arms({"algorithms": ["learner"], "set": {"updates": True}}),
        [PAPER, "main: updates", "True is not of type int"],
    ),
    "number for a list": (
        PAPER,
        arms({"algorithms": ["learner"], "set": {"hidden": 4}}),
        [PAPER, "main: hidden", "4 is not a list[int]"],
    ),
    "fit slot": (
        PAPER,
        arms({"algorithms": ["imaginer"], "set": {"dynamic.width": 4}}),
        [PAPER, "main", "fit slot of imaginer 'dynamic'", "'dynamics'"],
    ),
    "key of a fit": (
        PAPER,
        arms({"algorithms": ["imaginer"], "set": {"dynamics.widht": 4}}),
        [PAPER, "main: dynamics", "key of model 'widht'", "'width'"],
    ),
    "override of a fit that is not made": (
        PAPER,
        arms({"algorithms": ["imaginer"], "set": {"guide.width": 4}}),
        [PAPER, "main: guide", "not fitted on maze-a"],
    ),
    "key of an experiment": (
        PAPER,
        lambda c: c["experiments"]["main"].update(axes="horizon"),
        [PAPER, "experiments.main", "key 'axes'", "'axis'"],
    ),
    "key of an arm": (
        PAPER,
        arms({"algorithms": ["learner"], "sets": {}}),
        [PAPER, "experiments.main.arms.0", "key 'sets'", "'set'"],
    ),
    "paper's name": (PAPER, lambda c: c.update(paper="maid"), [PAPER, "paper: 'maid'"]),
    "key of an algorithm file": (
        LEARNER,
        lambda c: c.update(titel="x"),
        [LEARNER, "key 'titel'", "'title'"],
    ),
    "implementation without a class": (
        LEARNER,
        lambda c: c.update(implementation="algos.learner.Learner"),
        [f"{LEARNER}: implementation: 'algos.learner.Learner' must be module:Class, as in algos."],
    ),
    "number for a mapping": (
        LEARNER,
        lambda c: c.update(runs_per_job=3),
        [f"{LEARNER}: runs_per_job: 3 must be a mapping, as in {{cpu: .., cuda: ..}}"],
    ),
    "name for a list": (
        PAPER,
        arms({"algorithms": "learner"}),
        [PAPER, "main.arms.0.algorithms: 'learner' must be a list, as in [learner]"],
    ),
    "name of a selection for a list": (
        TIERS,
        tiny(experiments={"made/main": {"tasks": "maze-a"}}),
        [TIERS, "experiments.made/main.tasks: 'maze-a' must be a list, as in [maze-a]"],
    ),
    "name for a mapping of names": (
        PAPER,
        arms({"algorithms": ["learner"], "set": "rate"}),
        [PAPER, "main.arms.0.set: 'rate' must be a mapping, as in {name: value}"],
    ),
    "name with capitals": (
        LEARNER,
        lambda c: c.update(algo="Learner"),
        [f"{LEARNER}: algo: 'Learner' must be a name of small letters, digits and _"],
    ),
    "key of a key": (
        LEARNER,
        lambda c: c["keys"]["rate"].update(defualt=1.0),
        [LEARNER, "keys.rate", "key 'defualt'", "'default'"],
    ),
    "default of a wrong type": (
        LEARNER,
        lambda c: c["keys"]["rate"].update(default="high"),
        [LEARNER, "keys.rate.default", "'high' is not of type float"],
    ),
    "key without a source": (
        LEARNER,
        lambda c: c["keys"]["rate"].pop("source"),
        [LEARNER, "keys.rate.source", "Field required"],
    ),
    "task override of no task": (
        LEARNER,
        lambda c: c["tasks"].update({"maze-bb": {"rate": 0.1}}),
        [LEARNER, "tasks", "task 'maze-bb'", "'maze-b'"],
    ),
    "task override of no key": (
        LEARNER,
        lambda c: c["tasks"].update({"maze-a": {"hiden": [1]}}),
        [LEARNER, "tasks.maze-a", "key of learner 'hiden'", "'hidden'"],
    ),
    "algorithm's name": (LEARNER, lambda c: c.update(algo="lerner"), [LEARNER, "algo: 'lerner'"]),
    "keys from no file": (
        IMAGINER,
        lambda c: c.update(keys_from=["lerner"]),
        [IMAGINER, "keys_from", "file 'lerner'", "'learner'"],
    ),
    "keys from itself": (
        IMAGINER,
        lambda c: c.update(keys_from=["imaginer"]),
        [IMAGINER, "keys_from", "'imaginer' takes over its own keys"],
    ),
    "fit of no algorithm": (
        IMAGINER,
        lambda c: c["fits"]["dynamics"].update(algo="modle"),
        [IMAGINER, "fits.dynamics", "fit 'modle'", "'model'"],
    ),
    "fit that is none": (
        IMAGINER,
        lambda c: c["fits"]["dynamics"].update(algo="learner"),
        [IMAGINER, "fits.dynamics", "'learner' is not a fit"],
    ),
    "rate of no key": (
        LEARNER,
        lambda c: c["core_seconds"].update(update={"mood": {"plain": 1.0}}),
        [LEARNER, "core_seconds.update", "choice key of learner 'mood'", "'mode'"],
    ),
    "rate of no choice": (
        LEARNER,
        lambda c: c["core_seconds"].update(update={"mode": {"plane": 1.0, "fancy": 2.0}}),
        [LEARNER, "core_seconds.update.mode", "choice 'plane'", "'plain'"],
    ),
    "choice without a rate": (
        LEARNER,
        lambda c: c["core_seconds"].update(update={"mode": {"plain": 1.0}}),
        [LEARNER, "core_seconds.update.mode", "no rate for 'fancy'"],
    ),
    "rates of two keys": (
        LEARNER,
        lambda c: c["core_seconds"].update(update={"mode": {"plain": 1.0}, "clip": {"true": 1.0}}),
        [LEARNER, "core_seconds", "one rate, or the rates of one key"],
    ),
    "task without a horizon": (
        TASKS,
        lambda c: c["tasks"]["robot-a"].pop("horizon"),
        [TASKS, "robot-a", "horizon"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_in_a_file(project: Any, name: str) -> None:
    file, change, words = MISTAKES[name]
    project.edit(file, change)
    text = message(project)
    place = 0
    for word in words:
        place = text.find(word, place)
        assert place >= 0, (word, text)


def test_unknown_tier_and_paper(project: Any) -> None:
    assert message(project, "tinny").endswith("tiers.yaml: unknown tier 'tinny'; nearest: 'tiny'")
    assert "unknown paper 'maed'; nearest: 'made'" in message(project, papers=["maed"])


def test_selected_algorithm_and_task_that_never_meet(project: Any) -> None:
    pairs = (("learner", "maze-a"), ("imaginer", "maze-b"))
    groups = [{"algorithms": [algo], "tasks": [task]} for algo, task in pairs]
    project.edit(PAPER, arms(*groups))
    part = {"tasks": ["maze-b"], "algorithms": ["learner"]}
    project.edit(TIERS, tiny(experiments={"made/main": part}))
    text = message(project)
    assert "tiny: experiments.made/main: no arm has both one of these algorithms and" in text
    part["algorithms"] = ["learner", "imaginer"]
    project.edit(TIERS, tiny(experiments={"made/main": part}))
    assert [(arm.algo, arm.task) for arm in project.plan().arms] == [("imaginer", "maze-b")]


def test_a_part_of_a_pattern_may_fit_some_of_its_experiments(project: Any) -> None:
    project.edit(TIERS, tiny(experiments={"made/*": {"tasks": ["maze-b"]}}))
    assert {arm.experiment for arm in project.plan().arms} == {"main"}


def test_key_given_twice(project: Any) -> None:
    project.replace(LEARNER, "version: 1", "version: 1\nversion: 2")
    text = message(project)
    assert "learner.yaml:7: key 'version' given twice" in text


def test_inherited_mapping_may_be_overridden(project: Any) -> None:
    project.replace(
        TIERS,
        "budgets: {learner: {updates: 7}}",
        "budgets: {learner: &l {updates: 7}, imaginer: {<<: *l, updates: 8}}",
    )
    plan = project.plan()
    found = {a.algo: a.hyperparameters["updates"] for a in plan.arms}
    assert found == {"learner": 7, "imaginer": 8}


def test_broken_and_missing_yaml(project: Any) -> None:
    project.write(TIERS, "tiers: [")
    assert "tiers.yaml:1: not valid YAML" in message(project)
    (project.root / TIERS).unlink()
    assert "tiers.yaml: cannot be read" in message(project)


def test_yaml_tags_build_nothing(project: Any) -> None:
    project.write(TIERS, "tiers: !!python/object/apply:os.getcwd []\n")
    assert "not valid YAML" in message(project)


@pytest.mark.parametrize("tier", ["tinny", "tiny"])
def test_command_exits_with_2_and_one_line(
    project: Any, capsys: pytest.CaptureFixture[str], tier: str
) -> None:
    if tier == "tiny":
        project.replace(PAPER, "[learner, imaginer]", "[learner, imaginator]")
    assert main(["--tier", tier, "--root", str(project.root)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
