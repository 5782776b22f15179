"""Diagnoses against numbers worked out by hand, and the job on a tiny run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from algos import diagnose as module
from algos.core.replay import Layout
from algos.data import RunData
from algos.diagnose import diagnose, path_numbers
from algos.discrepancy import DataStates, trajectory_discrepancy
from algos.evaluation import Episodes, run_episodes
from algos.imagined import Chains, reward_calibration, summarise_chains
from tests.algos.conftest import TASK, expect_error, make_spec

Run = Callable[..., Path]
LAYOUT = Layout(4, 2)


def pack(state: Any, following: Any, reward: Any = 0.0) -> Tensor:
    state, following = torch.tensor(state), torch.tensor(following)
    count = len(state)
    return LAYOUT.pack(
        state,
        torch.zeros(count, 2),
        torch.as_tensor(reward, dtype=torch.float32).expand(count),
        following,
        torch.zeros(count),
    )


def data_of(path: np.ndarray, trajectory: list[int]) -> RunData:
    """Consecutive states ``[N + 1, 4]`` as N rows."""
    rows = pack(path[:-1].astype(np.float32), path[1:].astype(np.float32))
    return RunData(
        rows, np.array(trajectory), np.zeros(len(rows)), {"sha256": "a"}, None, Path("file"), None
    )


def test_distances_are_those_to_the_nearest_of_all_states() -> None:
    generator = np.random.default_rng(0)
    path, asked = generator.normal(size=(200, 4)), generator.normal(size=(7, 5, 4))
    states = DataStates.of(data_of(path, [0] * 100 + [1] * 99), LAYOUT)
    gap = np.linalg.norm(asked[..., None, :] - path.astype(np.float32), axis=-1).min(axis=-1)
    np.testing.assert_allclose(states.distance(asked), gap, rtol=1e-6)
    flat = np.linalg.norm(asked[..., None, :2] - path[:, :2].astype(np.float32), axis=-1)
    np.testing.assert_allclose(states.position_distance(asked), flat.min(axis=-1), rtol=1e-6)
    # the last state is in no row's observation, but it was visited
    assert states.distance(path[-1]) == pytest.approx(0.0, abs=1e-6)


def test_discrepancy_is_the_mean_over_the_states_of_a_trajectory() -> None:
    distance = np.array([[0.0, 1.0], [0.5, 1.0], [1.0, 9.0]])
    visited = np.array([[True, True], [True, True], [True, False]])
    assert trajectory_discrepancy(distance, visited).tolist() == [0.5, 1.0]


def test_numbers_of_paths() -> None:
    path = np.zeros((4, 2, 4))
    path[:, 1, 0] = [0.0, 0.3, 0.3, 7.0]  # the second episode ends after two steps
    path[:, 1, 2] = [0.0, 0.4, 0.4, 7.0]
    in_goal = np.array([[False, False], [True, False], [False, True]])
    running = np.array([[True, True], [True, True], [True, False]])
    found = Episodes(in_goal * 1.0, in_goal, running, np.zeros(2), ["a", "b"], path)
    numbers = path_numbers(found, DataStates.of(data_of(np.zeros((3, 4)), [0, 0]), LAYOUT))
    assert numbers["discrepancy_by_episode"] == pytest.approx([0.0, 2 * 0.5 / 3])
    assert numbers["discrepancy_xy"] == pytest.approx(0.6 / 3 / 2)
    assert numbers["goal_hold_by_episode"] == [0.5, 0.0]
    assert (numbers["hit_fraction"], numbers["first_hit"]) == (0.5, 2.0)


def stopping_rollout(backward: bool) -> tuple[Tensor, list[Tensor]]:
    """Three chains, two from equal states; the first stops after one step."""
    start = torch.tensor([[5.0, 0, 0, 0], [6.0, 0, 0, 0], [6.0, 0, 0, 0]])
    first = start + torch.tensor([[1.0], [2.0], [3.0]])
    second = first[1:] + 10.0
    steps = [(start, first), (first[1:], second)]
    rows = [pack((b if backward else a).numpy(), (a if backward else b).numpy()) for a, b in steps]
    return start, rows


@pytest.mark.parametrize("backward", [True, False])
def test_chains_follow_each_rollout_until_it_stops(backward: bool) -> None:
    chains = Chains.of(*stopping_rollout(backward), LAYOUT, backward)
    expected = [[5.0, 6.0, np.nan], [6.0, 8.0, 18.0], [6.0, 9.0, 19.0]]
    np.testing.assert_array_equal(chains.states[:, :, 0], expected)
    assert [len(states) for states in chains.reached] == [3, 2]


def test_numbers_of_imagined_states() -> None:
    start = np.tile(np.array([3.0, 3.0, 0, 0], np.float32), (4, 1))
    free = np.array([2.9, 3.0, 0, 0], np.float32)
    wall = np.array([2.0, 2.0, 0, 0], np.float32)  # the middle of the umaze
    fast = np.array([3.0, 3.0, 1, -5.4], np.float32)
    reached = np.stack([free, wall, fast, free])
    chains = Chains.of(torch.tensor(start), [pack(reached, start)], LAYOUT, backward=True)
    states = DataStates.of(data_of(np.tile(start[:1], (3, 1)), [0, 0]), LAYOUT)
    numbers = summarise_chains(chains, TASK, states)
    assert numbers["transitions"] == 4
    assert (numbers["wall_fraction"], numbers["fast_fraction"]) == (0.25, 0.25)
    expected = (0.1 + 2**0.5 + (1 + 5.4**2) ** 0.5 + 0.1) / 4
    assert numbers["distance"] == pytest.approx(expected)
    assert numbers["distance_xy"] == pytest.approx((0.1 + 2**0.5 + 0.0 + 0.1) / 4)
    assert numbers["wall_fraction_by_step"] == [0.25]


def test_rewards_are_compared_where_the_rewarded_state_is_in_the_goal() -> None:
    inside, outside = [1.2, 1.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0]
    rows = pack([inside, outside, inside], [outside, inside, outside], [0.8, 0.1, 0.6])
    numbers = reward_calibration([LAYOUT.unpack(rows)], TASK)
    assert numbers["reward_in_goal"] == pytest.approx(0.7)
    assert numbers["reward_outside_goal"] == pytest.approx(0.1)
    assert numbers["known_reward_in_goal"] == 1.0
    assert numbers["known_reward_outside_goal"] == 0.0
    alone = reward_calibration([LAYOUT.unpack(rows[1:2])], TASK)
    assert alone["reward_in_goal"] is None and alone["transitions_in_goal"] == 0.0


class Still:
    """Brakes."""

    def __init__(self, seeds: tuple[int, ...]) -> None:
        self.seeds = seeds
        self.acting_noise = (1, 1)

    def policy_state(self) -> dict[str, Tensor]:
        return {"x": torch.zeros(1)}

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return -state[..., 2:].clamp(-1, 1), torch.zeros(state.shape[:2])


def test_every_run_starts_from_the_same_states_when_told_so() -> None:
    for start_seed, same in ((0, True), (None, False)):
        first, second = run_episodes(
            Still((3, 4)), TASK, alive=[True, True], counter=1, episodes=7, start="stratified",
            start_seed=start_seed,
        )  # fmt: skip
        assert first is not None and second is not None
        assert np.array_equal(first.observation[0], second.observation[0]) == same
        assert first.observation.shape == (301, 7, 4) and first.visited().all()


@pytest.fixture
def finished(run_job: Run, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A tiny ROMI run of two seeds and its dynamics fit."""
    monkeypatch.setattr(module, "CHAINS", 600)
    monkeypatch.setattr(module, "DRAWN_CHAINS", 50)
    spec = make_spec("ensemble", (0, 1), direction="backward")
    fit = run_job("fit", spec, "fit")
    slots = {"dynamics": json.loads(spec)["digest"]}
    train = make_spec("romi_bcq", (0, 1), slots, rollout_policy="uniform", horizon=3)
    return run_job("train", train, "romi", {"dynamics": fit}), fit


def arguments(run: Path, fit: Path | None, data: list[Path], out: Path) -> list[str]:
    fits = ["--fits", f"dynamics={fit}"] if fit else []
    return ["--run", str(run), "--data", *map(str, data), *fits, "--out", str(out)]


def test_a_diagnosis_of_a_run(
    finished: tuple[Path, Path], data: list[Path], tmp_path: Path
) -> None:
    run, fit = finished
    for name in ("a", "b"):
        diagnose(arguments(run, fit, data[:2], tmp_path / name))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["diagnosis.json", "diagnosis.npz"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    content = json.loads((tmp_path / "a/diagnosis.json").read_text())
    assert content["digest"] == json.loads((run / "run.json").read_text())["digest"]
    assert content["maze"]["goal"] == [1, 1] and content["maze"]["steps_to_goal"][-1] == 0
    for seed, numbers in enumerate(content["runs"]):
        assert numbers["seed"] == seed
        assert numbers["imagined_transitions"] == 1800
        assert len(numbers["imagined_distance_by_step"]) == 3
        assert 0 <= numbers["discrepancy_xy"] < numbers["discrepancy"] < 5
    with np.load(tmp_path / "a/diagnosis.npz") as arrays:
        assert arrays["paths/0"].shape == (14, 301, 2)
        assert arrays["chains/1"].shape == (50, 4, 2)
        np.testing.assert_array_equal(arrays["paths/0"][:, 0], arrays["paths/1"][:, 0])
        assert arrays["data"].shape == (60, 300, 2)
        assert not np.isnan(arrays["data"][:, 0]).any()


def test_drawn_pieces_of_the_data_end_with_their_trajectory() -> None:
    path = np.zeros((1001, 4))
    path[:, 0] = np.arange(1001)
    trajectory = list(np.repeat([0, 1], 500))
    spec = type("Spec", (), {"task": TASK, "seeds": (0,)})
    pieces = module._data_paths(data_of(path, trajectory), spec)["data"][..., 0]  # type: ignore[arg-type]
    for piece in pieces:
        values = piece[np.isfinite(piece)]
        assert np.array_equal(values, values[0] + np.arange(len(values)))
        end = 500 if values[0] < 500 else 1000
        assert len(values) == min(300, end - values[0])


def test_stay_of_the_data_in_the_goal() -> None:
    path = np.full((9, 4), 3.0)
    path[[1, 2, 4, 5, 6, 7], :2] = 1.1  # the goal of umaze is (1, 1)
    assert module._goal_dwell(TASK, data_of(path, [0] * 8)) == 4
    assert module._goal_dwell(TASK, data_of(path, [0] * 5 + [1] * 3)) == 3


def test_inputs_must_be_those_of_the_run(
    finished: tuple[Path, Path],
    data: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, fit = finished
    swapped = arguments(run, fit, data[1::-1], tmp_path / "x")
    message = expect_error(capsys, lambda: diagnose(swapped))
    assert "made with seed 1, the spec declares 0" in message
    message = expect_error(capsys, lambda: diagnose(arguments(run, None, data[:2], tmp_path / "x")))
    assert "--fits: the run has ['dynamics'], got []" in message
    record = json.loads((run / "run.json").read_text())
    record["data"][1]["sha256"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    right = arguments(run, fit, data[:2], tmp_path / "x")
    message = expect_error(capsys, lambda: diagnose(right))
    assert "--data: seed 1 was trained on other data (sha256 000000000000)" in message
    assert not (tmp_path / "x").exists()
