import itertools

import pytest
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.imagination.ensemble import Direction, Dynamics
from algos.imagination.rollout_policies import UniformPolicy
from algos.imagination.starts import uniform_starts
from algos.imagination.traces import Tracer, fill

LAYOUT = Layout(1, 1)
STEP = 0.25


def toy_dynamics(direction: Direction, logvar: float = -40.0) -> Dynamics:
    """A 1-d system s' = s + STEP * a, reward 0, as a linear "ensemble" of two equal members."""
    sign = -1.0 if direction == "backward" else 1.0
    weight = torch.zeros(2, 2, 4)  # inputs [state, action], outputs [r, ds, logvar, logvar]
    weight[:, 1, 1] = sign * STEP
    bias = torch.zeros(2, 1, 4)
    bias[:, 0, 2:] = logvar
    low, high = torch.full((2,), -40.0), torch.full((2,), 0.5)
    zero, one = torch.zeros(2), torch.ones(2)
    return Dynamics(direction, [weight], [bias], low, high, zero, one, zero, one)


def never(state: Tensor) -> Tensor:
    return torch.zeros(len(state), dtype=torch.bool)


def roll(direction: Direction, starts: Tensor, horizon: int = 4, **more: object) -> list[Tensor]:
    tracer = Tracer(
        toy_dynamics(direction), UniformPolicy(1), more.pop("terminal", never), horizon, **more
    )  # type: ignore[arg-type]
    return tracer.roll(starts, torch.Generator().manual_seed(0), LAYOUT)


def test_backward_chain_ends_on_the_real_state_bit_for_bit() -> None:
    starts = torch.randn(50, 1)
    steps = [LAYOUT.unpack(rows) for rows in roll("backward", starts)]
    assert torch.equal(steps[0].next_observation, starts)
    for earlier, later in itertools.pairwise(steps):
        # walking the chain backwards: the next step's s' is this step's s
        assert torch.equal(later.next_observation, earlier.observation)
    for step in steps:  # each tuple obeys the forward law of the system
        moved = step.observation + STEP * step.action
        torch.testing.assert_close(moved, step.next_observation, atol=1e-5, rtol=0)


def test_forward_chain_starts_on_the_real_state_bit_for_bit() -> None:
    starts = torch.randn(50, 1)
    steps = [LAYOUT.unpack(rows) for rows in roll("forward", starts)]
    assert torch.equal(steps[0].observation, starts)
    for earlier, later in itertools.pairwise(steps):
        assert torch.equal(later.observation, earlier.next_observation)
    for step in steps:
        moved = step.observation + STEP * step.action
        torch.testing.assert_close(moved, step.next_observation, atol=1e-5, rtol=0)


def test_swapped_pairs_would_be_noticed() -> None:
    step = LAYOUT.unpack(roll("backward", torch.randn(50, 1), horizon=1)[0])
    swapped = step.next_observation + STEP * step.action
    assert float((swapped - step.observation).abs().max()) > STEP / 2


def test_horizon_one_gives_exactly_the_start_states() -> None:
    starts = torch.randn(20, 1)
    steps = roll("backward", starts, horizon=1)
    assert len(steps) == 1 and torch.equal(LAYOUT.unpack(steps[0]).next_observation, starts)


def test_forward_of_a_time_symmetric_system_is_backward_with_the_states_exchanged() -> None:
    """s' = s + a: rolling forward from t with a equals rolling backward from t with -a, fields exchanged."""
    starts = torch.randn(30, 1)
    back = [LAYOUT.unpack(rows) for rows in roll("backward", starts)]
    ahead = [LAYOUT.unpack(rows) for rows in roll("forward", starts)]
    for b, f in zip(back, ahead, strict=True):
        assert torch.equal(b.action, f.action)  # same generator
        torch.testing.assert_close(
            b.observation - b.next_observation, f.observation - f.next_observation
        )
        # reflecting one chain about the start states gives the other
    first_b, first_f = back[0], ahead[0]
    torch.testing.assert_close(
        first_b.observation - starts, -(first_f.next_observation - starts), atol=1e-5, rtol=0
    )


def fallen(state: Tensor) -> Tensor:
    return state[:, 0] > 1.0


def test_code_mode_flags_terminal_targets_and_stops_there() -> None:
    starts = torch.tensor([[0.0], [2.0], [0.5]])
    steps = [LAYOUT.unpack(rows) for rows in roll("backward", starts, terminal=fallen)]
    assert steps[0].terminated[:, 0].tolist() == [0.0, 1.0, 0.0]
    assert len(steps[1].observation) == 2  # the fallen target is not continued
    torch.testing.assert_close(steps[1].next_observation, steps[0].observation[[0, 2]])


def test_fixed_mode_continues_from_a_healthy_predecessor_and_flags_only_the_last_step() -> None:
    starts = torch.tensor([[1.0 + STEP / 4]])  # terminal, but its predecessor may be healthy
    found = False
    for seed in range(20):
        tracer = Tracer(toy_dynamics("backward"), UniformPolicy(1), fallen, 3, "fixed")
        steps = [
            LAYOUT.unpack(r)
            for r in tracer.roll(starts, torch.Generator().manual_seed(seed), LAYOUT)
        ]
        if len(steps[0].observation) == 0:
            continue  # the predecessor was terminal: no transition leaves a terminal state
        assert steps[0].terminated.item() == 1.0 and float(steps[0].observation) <= 1.0
        if len(steps) > 1 and len(steps[1].observation):
            assert steps[1].terminated.item() == 0.0
            assert torch.equal(steps[1].next_observation, steps[0].observation)
            found = True
    assert found


def test_forward_rollouts_stop_at_a_terminal_prediction() -> None:
    starts = torch.tensor([[0.99], [-5.0]])
    steps = [LAYOUT.unpack(rows) for rows in roll("forward", starts, horizon=10, terminal=fallen)]
    ended = [bool(step.terminated.any()) for step in steps]
    for step in steps:
        assert torch.equal(step.terminated[:, 0].bool(), fallen(step.next_observation))
    if any(ended):
        assert len(steps[ended.index(True) + 1].observation) == 1


def test_known_reward_replaces_the_models() -> None:
    rows = roll("backward", torch.randn(10, 1), reward=lambda s, a, s2: s[:, 0] * 10)
    step = LAYOUT.unpack(rows[0])
    assert torch.equal(step.reward[:, 0], step.observation[:, 0] * 10)


def test_fill_is_exact_in_size_and_a_pure_function_of_the_seed() -> None:
    tracer = Tracer(toy_dynamics("backward"), UniformPolicy(1), never, 3)
    states = torch.randn(100, 1)

    def make(seed: int, size: int) -> Tensor:
        return fill(
            tracer,
            states,
            uniform_starts(100),
            size=size,
            rollout_batch=16,
            seed=seed,
            layout=LAYOUT,
        )

    buffer = make(0, 100)
    assert buffer.shape == (100, LAYOUT.width)
    assert torch.equal(buffer, make(0, 100))
    assert torch.equal(buffer[:60], make(0, 60))
    assert not torch.equal(buffer, make(1, 100))
    # the first 16 rows of every call end on data states
    targets = LAYOUT.unpack(buffer[48:64]).next_observation
    assert bool((torch.cdist(targets, states).min(dim=1).values == 0).all())


def test_fill_from_terminal_states_only_is_an_error() -> None:
    tracer = Tracer(toy_dynamics("backward"), UniformPolicy(1), lambda s: s[:, 0] > -9, 3, "fixed")
    with pytest.raises(ValueError, match="no transition"):
        fill(
            tracer,
            torch.zeros(5, 1),
            uniform_starts(5),
            size=10,
            rollout_batch=4,
            seed=0,
            layout=LAYOUT,
        )
