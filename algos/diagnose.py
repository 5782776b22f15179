"""Diagnose jobs: ``python -m algos.diagnose --run DIR --data FILE.. --fits SLOT=DIR.. --out DIR``.

What figures need of a finished run: the paths its final policies take, how far they stray from the data, and what its
model imagines. Numbers go to ``diagnosis.json``, paths to ``diagnosis.npz``. A rule of its own: nothing is retrained.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from algos import jobs
from algos.core import files, machine
from algos.core.randomness import numpy_generator, torch_generator
from algos.core.spec import JobSpec, SpecError
from algos.data import RunData, layout_of, load_runs
from algos.discrepancy import DataStates, trajectory_discrepancy
from algos.evaluate import load_run
from algos.evaluation import Episodes, run_episodes
from algos.imagination.buffers import FittedModel, make_tracer, start_selection, start_states
from algos.imagined import Chains, summarise_chains
from algos.train import imagination_config, load_fits, termination
from envs.batch import make_batch
from envs.maze2d_physics import GOAL_RADIUS
from envs.mazes import FRAME_OFFSET
from envs.metrics import has_maze, in_goal, longest_stay, maze_of

SCHEMA = 1
EPISODES_PER_START = 2
COUNTER = 2**31 - 2  # a stream of its own, apart from evaluations
START_SEED = 0  # every run of every method starts from the same states
CHAINS = 20_000  # imagined rollouts that numbers are made of
DRAWN_CHAINS = 400  # those of them that are kept for pictures
DATA_PATHS, DATA_PATH_LENGTH = 60, 300  # pieces of trajectories of the data, for pictures

Arrays = dict[str, np.ndarray]


def diagnose(argv: Sequence[str] | None = None) -> None:
    """Run one diagnose job."""
    args = _arguments(argv)
    device = machine.prepare()
    record, spec, learner = load_run(args.run, device)
    data = load_runs(args.data, spec, True, device)
    _check_data(record, data)
    alive = [run["status"] == "finished" for run in record["runs"]]
    fits = load_fits(spec, jobs.fit_folders(args.fits, spec, "the run has"), device)
    episodes = EPISODES_PER_START * make_batch(spec.task, 1).num_starts
    found = run_episodes(
        learner,
        spec.task,
        alive=alive,
        counter=COUNTER,
        episodes=episodes,
        start="stratified",
        start_seed=START_SEED,
    )
    runs, arrays = [], _data_paths(data[0], spec)
    known: tuple[str, DataStates] | None = None
    for number, (seed, each) in enumerate(zip(spec.seeds, found, strict=True)):
        if not isinstance(each, Episodes):
            continue  # the run failed, or its final policy gives actions that are not finite
        sha = data[number].info["sha256"]
        if known is None or known[0] != sha:  # one tree at a time: it is larger than the data
            known = (sha, DataStates.of(data[number], layout_of(spec.task)))
        numbers, paths = _diagnose_run(spec, number, each, known[1], data[number], fits)
        runs.append({"seed": seed, **numbers})
        arrays |= {f"{name}/{seed}": values for name, values in paths.items()}
    _write(args.out, spec, runs, arrays)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Diagnose the final policies and models of a run.")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument(
        "--data", required=True, nargs="+", type=Path, help="the data files it was trained on"
    )
    parser.add_argument(
        "--fits", nargs="*", default=[], metavar="SLOT=DIR", help="folders of its fit jobs"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for the diagnosis")
    return parser.parse_args(argv)


def _check_data(record: dict[str, Any], data: Sequence[RunData]) -> None:
    for entry, own in zip(record["data"], data, strict=True):
        if entry["sha256"] != own.info["sha256"]:
            raise SpecError(
                f"--data: seed {entry['seed']} was trained on other data (sha256 {entry['sha256'][:12]})"
            )


def _diagnose_run(
    spec: JobSpec,
    number: int,
    episodes: Episodes,
    states: DataStates,
    data: RunData,
    fits: dict[str, FittedModel],
) -> tuple[dict[str, Any], Arrays]:
    """Numbers and paths of one run."""
    numbers = path_numbers(episodes, states)
    visited = episodes.visited()[..., None]
    positions = np.where(visited, episodes.observation[..., :2], np.nan)
    if has_maze(spec.task):
        numbers["data_goal_dwell"] = _goal_dwell(spec.task, data)
    arrays: Arrays = {"paths": positions.swapaxes(0, 1).astype(np.float32)}
    if spec.hyperparameters.get("eta"):
        chains = _imagine(spec, number, data, fits)
        imagined = summarise_chains(chains, spec.task, states)
        numbers |= {f"imagined_{name}": value for name, value in imagined.items()}
        arrays["chains"] = chains.states[:DRAWN_CHAINS, :, :2]
    return numbers, arrays


def _goal_dwell(task: str, data: RunData) -> int:
    """Longest stay in the goal within one trajectory of the data, steps (ROMI, figure 3a)."""
    state = layout_of(task).unpack(data.rows.cpu()).observation.numpy()
    return longest_stay(in_goal(task, state), data.trajectory)


def path_numbers(episodes: Episodes, states: DataStates) -> dict[str, Any]:
    """How far the episodes of one run stray from the data, and how long they stay in the goal.

    ``discrepancy``: Average Trajectory Discrepancy (ROMI, definition 1), mean over the episodes; ``_xy``: of
    positions alone. ``goal_hold``: share of the steps after the first arrival that are spent in the goal, 0 without
    arrival; ``first_hit``: mean steps until it, over the episodes that arrive (``hit_fraction``).
    """
    visited, hits = episodes.visited(), episodes.first_hit()
    arrived = np.isfinite(hits)
    full = trajectory_discrepancy(states.distance(episodes.observation), visited)
    position = trajectory_discrepancy(states.position_distance(episodes.observation), visited)
    return {
        "discrepancy": float(full.mean()),
        "discrepancy_xy": float(position.mean()),
        "discrepancy_by_episode": full.tolist(),
        "goal_hold": float(episodes.goal_hold().mean()),
        "goal_hold_by_episode": episodes.goal_hold().tolist(),
        "hit_fraction": float(arrived.mean()),
        "first_hit": float(hits[arrived].mean()) if arrived.any() else None,
    }


def _imagine(spec: JobSpec, number: int, data: RunData, fits: dict[str, FittedModel]) -> Chains:
    """Rollouts as training imagined them, but always with the model's own rewards."""
    config, layout, seed = imagination_config(spec), layout_of(spec.task), spec.seeds[number]
    tracer = make_tracer(config, fits, number, layout, termination(spec.task), None)
    draw = start_selection(config.prioritize_starts, data.reward, data.trajectory, len(data.rows))
    candidates = start_states(config, data.rows, layout)
    generator = torch_generator(seed, "diagnose/starts")
    blocks = [draw(config.rollout_batch, generator) for _ in range(CHAINS // config.rollout_batch)]
    starts = candidates[torch.cat(blocks).to(candidates.device)]
    noise = torch_generator(seed, "diagnose/rollout", 0, starts.device)
    rolled = tracer.roll(starts, noise, layout)
    return Chains.of(starts, rolled, layout, tracer.dynamics.direction == "backward")


def _data_paths(data: RunData, spec: JobSpec) -> Arrays:
    """Positions of random pieces of the data's trajectories ``[K, L, 2]``, NaN after the end of one."""
    layout = layout_of(spec.task)
    positions = layout.unpack(data.rows.cpu()).observation[:, :2].numpy()
    generator = numpy_generator(spec.seeds[0], "diagnose/data")
    first = generator.integers(len(positions), size=DATA_PATHS)
    index = first[:, None] + np.arange(DATA_PATH_LENGTH)
    inside = index < len(positions)
    index = np.minimum(index, len(positions) - 1)
    same = inside & (data.trajectory[index] == data.trajectory[first][:, None])
    return {"data": np.where(same[..., None], positions[index], np.nan).astype(np.float32)}


def _write(out: Path, spec: JobSpec, runs: list[dict[str, Any]], arrays: Arrays) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    with files.atomic_path(out / "diagnosis.npz") as temporary:
        temporary.write_bytes(buffer.getvalue())
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "digest": spec.digest,
        "tier": spec.tier,
        "algo": spec.algo,
        "task": spec.task,
        "episodes_per_start": EPISODES_PER_START,
        "start_names": make_batch(spec.task, 1).start_names,
        "maze": _maze(spec.task) if has_maze(spec.task) else None,
        "runs": runs,
    }
    files.write_json(out / "diagnosis.json", content)


def _maze(task: str) -> dict[str, Any]:
    """What a picture needs: the wall cell (r, c) is the unit square with centre (r - offset, c - offset)."""
    maze = maze_of(task)
    steps = maze.distances(maze.goal)
    return {
        "name": maze.name,
        "walls": maze.walls.tolist(),
        "goal": list(maze.goal),
        "goal_radius": GOAL_RADIUS,
        "frame_offset": FRAME_OFFSET,
        "steps_to_goal": [int(steps[cell]) for cell in maze.start_cells],
    }


if __name__ == "__main__":
    jobs.main(diagnose)
