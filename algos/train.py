"""Train jobs: ``python -m algos.train --spec JSON --data FILE.. --fits SLOT=DIR.. --out DIR``.

Trains one algorithm on one task for a block of seeds; writes ``run.json``, ``policy.safetensors`` and
``progress.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from algos import jobs
from algos.core.loop import Failed, Learner, Loop, MethodError
from algos.core.spec import JobSpec, SpecError, implementation
from algos.data import RunData, layout_of, load_runs
from algos.demonstrations import DemonstrationConfig, select
from algos.evaluation import Episodes, Policy, Start, run_episodes, summarise
from algos.imagination.buffers import (
    FittedModel,
    ImaginationConfig,
    imagine,
    start_selection,
)
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.mixture import Mixture
from algos.imagination.starts import Starts
from algos.imagination.traces import Termination
from algos.robustness import RobustnessConfig
from envs import terminations
from envs.batch import make_batch
from envs.tasks import get_task, observation_bounds, reward_function


@dataclass(frozen=True)
class EvaluationConfig:
    """Keys of ``config/algos/_evaluation.yaml``."""

    evaluate_every: int
    evaluation_episodes: int
    evaluation_start: Start
    report_evaluations: int


def train(argv: Sequence[str] | None = None) -> None:
    """Run one train job."""
    job = jobs.parse(argv, "train", "Train an algorithm on a task for a block of seeds.")
    jobs.run_locked(job, lambda: _train_or_emit(job))


def _train_or_emit(job: jobs.Job) -> None:
    evaluation = evaluation_config(job.spec)
    check_episodes(job.spec.task, evaluation)
    data = load_runs(job.data, job.spec, True, job.device)
    inputs = jobs.fingerprint(job, data)
    state = jobs.finished_state(job, inputs) or _train(job, data, inputs)
    record = jobs.common_record(job, state)
    record["runs"] = [
        run_record(seed, failure, evaluations, evaluation.report_evaluations)
        for seed, failure, evaluations in zip(
            job.spec.seeds,
            state["history"]["failures"],
            state["history"]["evaluations"],
            strict=True,
        )
    ]
    record["fits"] = state["fits"]
    if "paths" in state:
        record["paths"] = state["paths"]
    horizon, episodes = get_task(job.spec.task).horizon, evaluation.evaluation_episodes
    count = sum(len(run["evaluations"]) for run in record["runs"])
    record["evaluation_steps"] = count * episodes * horizon
    jobs.emit(job, state, record, ("run.json", "policy.safetensors"))


def check_episodes(task: str, evaluation: EvaluationConfig) -> None:
    """A stratified evaluation gives every start cell the same number of episodes.

    Raises:
        SpecError: it cannot.
    """
    cells = make_batch(task, 1).num_starts
    episodes = evaluation.evaluation_episodes
    if evaluation.evaluation_start == "stratified" and episodes % cells:
        raise SpecError(
            f"evaluation_episodes: {episodes} is not a multiple of the {cells} start cells of {task}; "
            f"use {-(-episodes // cells) * cells}, or evaluation_start random"
        )


def evaluation_config(spec: JobSpec) -> EvaluationConfig:
    """The evaluation keys of a train spec."""
    kind = implementation(spec.implementation)
    return spec.build(EvaluationConfig, kind.Config, *_other_configs(spec))


def build_learner(spec: JobSpec, material: Mixture | Demonstrations, device: torch.device) -> Any:
    """The learner of a train spec; ``material`` is what it learns from.

    Raises:
        MethodError: its class lacks something that a method has.
    """
    kind = implementation(spec.implementation)
    config = spec.build(kind.Config, EvaluationConfig, *_other_configs(spec))
    bounded: dict[str, Any] = {}
    if spec.hyperparameters.get("bounded_observations"):
        limits = (torch.from_numpy(each).float() for each in observation_bounds(spec.task))
        bounded["bounds"] = tuple(each.to(device) for each in limits)
    learner = kind(
        config, material, layout_of(spec.task), spec.seeds, spec.precision, device, **bounded
    )
    require_members(learner, spec.implementation)
    return learner


def require_members(learner: object, named: str) -> None:
    """Refuse a method that training, evaluation or resuming would break off for, before it has begun.

    Raises:
        MethodError: something of `Learner` or `Policy` is missing.
    """
    wanted = [name for kind in (Learner, Policy) for name in (*kind.__annotations__, *vars(kind))]
    public = dict.fromkeys(name for name in wanted if not name.startswith("_"))
    missing = [name for name in public if not hasattr(learner, name)]
    if missing:
        raise MethodError(
            f"{named}: {', '.join(missing)} missing; docs/contracts.md, 'A method', says what they are"
        )


def no_data(spec: JobSpec) -> Mixture | Demonstrations:
    """A stand-in for what a learner learns from: its shapes do not depend on it."""
    layout = layout_of(spec.task)
    if imitates(spec):
        return Demonstrations.blank(spec.seeds, layout)
    return Mixture(spec.seeds, [torch.zeros(2, layout.width) for _ in spec.seeds])


def imitates(spec: JobSpec) -> bool:
    """Whether a train spec is of a method that learns from demonstrations."""
    return "demonstrations" in spec.hyperparameters


def robustness_config(spec: JobSpec) -> RobustnessConfig:
    """The keys of the final evaluation of a method that imitates."""
    others = (implementation(spec.implementation).Config, EvaluationConfig, DemonstrationConfig)
    return spec.build(RobustnessConfig, *others)


def _other_configs(spec: JobSpec) -> tuple[type[Any], ...]:
    """Configurations besides the learner's own and that of evaluations."""
    if imitates(spec):
        return (DemonstrationConfig, RobustnessConfig)
    return (ImaginationConfig,) if _imagines(spec) else ()


def _imagines(spec: JobSpec) -> bool:
    return "eta" in spec.hyperparameters


def imagination_config(spec: JobSpec) -> ImaginationConfig:
    """The imagination keys of a train spec that has them."""
    others = (implementation(spec.implementation).Config, EvaluationConfig)
    return spec.build(ImaginationConfig, *others)


def _train(job: jobs.Job, data: list[RunData], inputs: str) -> Any:
    spec = job.spec
    fits = load_fits(spec, job.fits, job.device)
    material: Mixture | Demonstrations
    extra: dict[str, Any] = {}
    if imitates(spec):
        material = demonstrations_of(spec, data)
        extra["paths"] = [material.path(run) for run in range(len(spec.seeds))]
    else:
        material = make_batches(spec, data, fits)
    learner = build_learner(spec, material, job.device)
    evaluation = evaluation_config(spec)
    loop = Loop(
        learner,
        learner.config.updates,
        evaluation.evaluate_every,
        partial(_evaluate, learner, spec, evaluation),
        job.scratch,
        spec.digest,
        inputs,
        label=f"train {spec.algo} {spec.task}",
        failures=fit_failures(spec, fits),
        started=job.started,
    )
    history = loop.run()
    fit_records = {
        slot: {"digest": model.record["digest"], "runs": model.record["runs"]}
        for slot, model in fits.items()
    }
    extra |= {"fits": fit_records, "data": jobs.infos(spec, data)}
    return jobs.keep_finished(job, inputs, history, learner.policy_state(), extra)


def load_fits(
    spec: JobSpec, folders: Mapping[str, Path], device: torch.device
) -> dict[str, FittedModel]:
    """The fitted models by slot, checked to be the ones the spec names, for the same seeds.

    Raises:
        SpecError: a fit is of another spec or of other seeds.
    """
    fits = {slot: FittedModel.load(folder, device) for slot, folder in folders.items()}
    for slot, model in fits.items():
        if model.record["digest"] != spec.fits[slot]:
            raise SpecError(
                f"{folders[slot]}: fit {slot} is of another spec; run the fit job again"
            )
        seeds = [run["seed"] for run in model.record["runs"]]
        if seeds != list(spec.seeds):
            raise SpecError(f"{folders[slot]}: fit {slot} has seeds {seeds}, not {spec.seeds}")
    return fits


def fit_failures(spec: JobSpec, fits: dict[str, FittedModel]) -> list[dict[str, Any] | None]:
    """A run whose fit failed has failed before its first update."""
    failures: list[dict[str, Any] | None] = []
    for run in range(len(spec.seeds)):
        reasons = [f"fit {slot}: {why}" for slot, m in fits.items() if (why := m.failure(run))]
        failures.append({"update": 0, "reason": reasons[0]} if reasons else None)
    return failures


def demonstrations_of(spec: JobSpec, data: list[RunData]) -> Demonstrations:
    """The demonstrations of a train spec's runs."""
    kind = implementation(spec.implementation)
    config = spec.build(DemonstrationConfig, kind.Config, EvaluationConfig, RobustnessConfig)
    return select(config, spec.seeds, data, layout_of(spec.task))


def make_batches(spec: JobSpec, data: list[RunData], fits: dict[str, FittedModel]) -> Mixture:
    """Real rows, mixed with imagined ones when the algorithm imagines.

    With ``eta`` 0 nothing is imagined and the batches are those of the plain learner.
    """
    real = [run.rows for run in data]
    draws: list[Starts] | None = None
    if spec.hyperparameters.get("prioritize_env_batches"):
        draws = [start_selection(True, run.reward, run.trajectory, len(run.rows)) for run in data]
    if not _imagines(spec):
        return Mixture(spec.seeds, real, real_draw=draws)
    config = imagination_config(spec)
    if config.eta == 0.0:
        return Mixture(spec.seeds, real, real_draw=draws)
    imagined = [_buffer(spec, config, fits, run, each) for run, each in enumerate(data)]
    return Mixture(spec.seeds, real, imagined, config.eta, draws)


def _buffer(
    spec: JobSpec, config: ImaginationConfig, fits: dict[str, FittedModel], run: int, data: RunData
) -> Tensor:
    if any(model.failure(run) for model in fits.values()):
        return data.rows  # the run is masked; its rows are never learnt from
    starts = start_selection(config.prioritize_starts, data.reward, data.trajectory, len(data.rows))
    return imagine(
        config,
        fits,
        run,
        spec.seeds[run],
        data.rows,
        starts,
        layout_of(spec.task),
        termination(spec.task),
        reward_function(spec.task),
    )


def termination(task: str) -> Termination:
    """The task's own test for terminal states ``[B, S]``, on tensors."""
    test = terminations.get(get_task(task).termination)
    return lambda state: test(state, torch)


def _evaluate(
    learner: Any, spec: JobSpec, config: EvaluationConfig, update: int, alive: list[bool]
) -> list[dict[str, Any] | Failed | None]:
    found = run_episodes(
        learner,
        spec.task,
        alive=alive,
        counter=update,
        episodes=config.evaluation_episodes,
        start=config.evaluation_start,
    )
    # VINS has a discount and no critic of what its policy collects.
    discount = None if imitates(spec) else spec.hyperparameters.get("discount")
    facts = learner.facts(update) if hasattr(learner, "facts") else [{} for _ in found]
    return [
        summarise(each, spec.task, config.evaluation_start, discount)
        | {name: float(value) for name, value in known.items()}
        if isinstance(each, Episodes)
        else each
        for each, known in zip(found, facts, strict=True)
    ]


def run_record(
    seed: int, failure: dict[str, Any] | None, evaluations: list[dict[str, Any]], report: int
) -> dict[str, Any]:
    """One run of ``result.json``.

    ``final`` holds the mean of every scalar metric over the last ``report`` evaluations, ``score_last`` and, for the
    record only, ``score_best``; nothing is ever judged by the best.
    """
    if failure or not evaluations:
        why = failure or {"update": 0, "reason": "no evaluation was due"}
        return {
            "seed": seed,
            "status": "failed",
            "failure": why,
            "final": None,
            "evaluations": evaluations,
        }
    scalars = [k for k, v in evaluations[-1].items() if isinstance(v, float)]
    final = {k: float(np.mean([e[k] for e in evaluations[-report:]])) for k in scalars}
    if "score" in final:
        scores = [e["score"] for e in evaluations]
        final |= {"score_last": scores[-1], "score_best": max(scores)}
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "final": final,
        "evaluations": evaluations,
    }


if __name__ == "__main__":
    jobs.main(train)
