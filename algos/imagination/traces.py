"""Imagined trajectories: roll a dynamics model from real states and keep the transitions.

Whatever the direction, rows come out as ordinary (s, a, r, s', terminated) tuples, so that any model-free learner
takes them. Backwards, the first s' of a chain is a state of the data set, bit for bit; forwards, the first s is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from algos.core.progress import Advance
from algos.core.randomness import torch_generator
from algos.core.replay import Layout
from algos.imagination.ensemble import Dynamics
from algos.imagination.rollout_policies import RolloutPolicy
from algos.imagination.starts import Starts

TerminalMode = Literal["code", "fixed"]
Termination = Callable[[Tensor], Tensor]
RewardFunction = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Tracer:
    """Rolls one run's model.

    Attributes:
        terminal: states ``[B, S]`` -> bool ``[B]``.
        terminal_mode: only backwards. ``code`` (ROMI): a rollout whose target is terminal stops after that one step.
            ``fixed``: it stops when the predicted predecessor is itself terminal, since no transition leaves a
            terminal state; only the step into the terminal target is flagged.
        reward: replaces the sampled reward by a known function of (s, a, s'); None keeps the model's.
    """

    dynamics: Dynamics
    policy: RolloutPolicy
    terminal: Termination
    horizon: int
    terminal_mode: TerminalMode = "code"
    reward: RewardFunction | None = None

    @torch.no_grad()
    def roll(self, starts: Tensor, generator: torch.Generator, layout: Layout) -> list[Tensor]:
        """Packed rows of each of up to ``horizon`` steps from ``starts [B, S]``; later steps have fewer rows."""
        steps: list[Tensor] = []
        state = starts
        for _ in range(self.horizon):
            if len(state) == 0:
                break
            rows, state = self._step(state, generator, layout)
            steps.append(rows)
        return steps

    def _step(
        self, state: Tensor, generator: torch.Generator, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        action = self.policy(state, generator)
        count, width, device = len(state), state.shape[1] + 1, state.device
        member = torch.randint(self.dynamics.elites, (count,), generator=generator, device=device)
        noise = torch.randn(count, width, generator=generator, device=device)
        sampled = self.dynamics.sample(state, action, member, noise)
        reward, reached = sampled[:, 0], state + sampled[:, 1:]
        backward = self.dynamics.direction == "backward"
        source, target = (reached, state) if backward else (state, reached)
        if self.reward is not None:
            reward = self.reward(source, action, target)
        done = self.terminal(target)
        stop = self.terminal(source) if backward and self.terminal_mode == "fixed" else done
        if backward and self.terminal_mode == "fixed":
            keep = ~stop  # no transition starts in a terminal state
            rows = layout.pack(source, action, reward, target, done)[keep]
            return rows, reached[keep]
        return layout.pack(source, action, reward, target, done), reached[~stop]


def fill(
    tracer: Tracer,
    states: Tensor,
    starts: Starts,
    *,
    size: int,
    rollout_batch: int,
    seed: int,
    layout: Layout,
    advance: Advance | None = None,
) -> Tensor:
    """Fill a model buffer with exactly ``size`` imagined transitions ``[size, width]``.

    Draws ``rollout_batch`` start states, rolls ``horizon`` steps, appends, until full. A pure function of the seed,
    so a resumed job makes the same buffer again.

    Args:
        tracer: the model and policy to roll.
        states: ``[N, S]`` candidates; ``starts`` draws their row numbers.
        starts: start-state selection.
        size: transitions to make.
        rollout_batch: start states a call.
        seed: run seed.
        layout: column order of a row.
        advance: progress callback.
    """
    buffer = torch.empty(size, layout.width, device=states.device)
    filled = call = 0
    while filled < size:
        generator = torch_generator(seed, "imagination/starts", call)
        chosen = starts(rollout_batch, generator).to(states.device)
        noise = torch_generator(seed, "imagination/rollout", call, states.device)
        before = filled
        for rows in tracer.roll(states[chosen], noise, layout):
            count = min(len(rows), size - filled)
            buffer[filled : filled + count] = rows[:count]
            filled += count
        if filled == before:
            raise ValueError("imagined rollouts made no transition; every start state is terminal")
        call += 1
        if advance:
            advance(filled - before)
    return buffer
