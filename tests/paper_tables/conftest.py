"""A small made-up project: two tasks, two learners, one model, one paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from paper_tables.plan import Plan, make_plan

TASKS = """
tasks:
  maze-a: &maze
    domain: maze
    horizon: 10
    implementation: envs.maze:Maze
    data: {local: {generator: walk, version: 1, transitions: 500, options: {}}}
  maze-b: *maze
  robot-a: {domain: robot, horizon: 20, data: {d4rl: {file: robot.hdf5, sha256: abc}}}
"""
LEARNER = """
algo: learner
title: Learner
stage: train
implementation: algos.learner:Learner
version: 1
source: "test"
runs_per_job: {cpu: 2, cuda: 8}
core_seconds: {update: 0.5}
keys:
  updates: {default: 100, type: int, min: 0, budget: true, source: "t"}
  rate: {default: 0.5, type: float, min: 0.0, max: 1.0, batchable: true, source: "t"}
  hidden: {default: [4, 4], type: "list[int]", min: 1, source: "t"}
  mode: {default: plain, type: choice, choices: [plain, fancy], source: "t"}
  clip: {default: false, type: bool, source: "t"}
  extra: {default: 1.0, neutral: 1.0, type: float, source: "t"}
tasks:
  "maze-*": {rate: 0.25}
  maze-b: {hidden: [8]}
"""
IMAGINER = """
algo: imaginer
title: Imaginer
stage: train
implementation: algos.imaginer:Imaginer
version: 1
source: "test"
runs_per_job: {cpu: 2, cuda: 8}
keys_from: [learner]
keys:
  horizon: {default: 5, type: int, min: 1, source: "t"}
  guide: {default: none, type: choice, choices: [none, model], source: "t"}
fits:
  dynamics: {algo: model, set: {direction: backward}}
  guide: {algo: model, set: {direction: forward}, when: {guide: model}}
"""
MODEL = """
algo: model
title: Model
stage: fit
implementation: algos.model:Model
version: 1
source: "test"
runs_per_job: {cpu: 1, cuda: 8}
keys:
  direction: {default: backward, type: choice, choices: [backward, forward], source: "t"}
  updates: {default: 10, type: int, min: 0, budget: true, source: "t"}
  width: {default: 3, type: int, min: 1, source: "t"}
"""
TIERS = """
tiers:
  tiny:
    title: tiny
    judged: none
    seeds: 2
    seed_block: 2
    data: {transitions: {"maze-*": 50}}
    experiments: {"made/*": {}}
    budgets: {learner: {updates: 7}}
"""
EXPERIMENTS = """
paper: made
title: Made up
source: test
task_groups: {mazes: [maze-a, maze-b]}
experiments:
  main:
    title: main
    source: table 1
    tasks: [mazes]
    arms:
      - {algorithms: [learner, imaginer]}
  length:
    title: length
    source: table 2
    axis: horizon
    tasks: [maze-a]
    arms:
      - {algorithms: [imaginer], grid: {horizon: [1, 5]}}
"""


class Project:
    """Files of a project below `root`, editable as parsed YAML."""

    FILES: ClassVar[dict[str, str]] = {
        "config/tasks.yaml": TASKS,
        "config/tiers.yaml": TIERS,
        "config/algos/learner.yaml": LEARNER,
        "config/algos/imaginer.yaml": IMAGINER,
        "config/algos/model.yaml": MODEL,
        "paper_tables/made/experiments.yaml": EXPERIMENTS,
        "algos/learner.py": "",
        "algos/imaginer.py": "",
        "algos/model.py": "",
        "envs/maze.py": "",
    }

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in self.FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        """Rewrite a YAML file after `change` was applied to its content."""
        content = yaml.safe_load((self.root / name).read_text())
        change(content)
        self.write(name, yaml.safe_dump(content, sort_keys=False))

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace text that must be there exactly once."""
        text = (self.root / name).read_text()
        assert text.count(old) == 1, (name, old)
        self.write(name, text.replace(old, new))

    def plan(self, tier: str = "tiny", **options: Any) -> Plan:
        return make_plan(tier, root=self.root, **options)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
