"""The comparisons that are measured in windows."""

from __future__ import annotations

from benchmarks.facts import BFLOAT16
from benchmarks.windows import Comparison, Effort, Subject

#: Observation and action widths: maze2d, and the largest locomotion task (halfcheetah, walker2d).
DIMENSIONS = {"maze2d": (4, 2), "halfcheetah": (17, 6)}
#: Adam's moments of dead units reach denormal numbers after about 700 updates: warm up beyond that.
WARMUP = 800
PRECISIONS = ("float32", "bfloat16")
RUNS = (1, 4)
BCQ, ENSEMBLE, IMITATION, OTHERS = (
    f"benchmarks.subjects.{name}" for name in ("bcq", "ensemble", "imitation", "others")
)
#: BMIL on pick and place: sizes of states and actions, rows of ten demonstrations, minibatch.
PICK = {"observation_dim": 25, "action_dim": 4, "rows": 270, "batch_size": 64}
SEEDS_TOGETHER = 10


def _ours(factory: str, size: dict[str, int], against: str) -> tuple[Subject, ...]:
    """Our training in both precisions, one run and four; windows hold equally many updates of runs."""
    return tuple(
        Subject(
            f"Hindcast {precision}, R = {runs}",
            factory,
            {**size, "runs": runs, "precision": precision},
            against,
            share=1.0 / runs,
            needs=BFLOAT16 if precision == "bfloat16" else None,
        )
        for precision in PRECISIONS
        for runs in RUNS
    )


def _size(name: str) -> dict[str, int]:
    observation, action = DIMENSIONS[name]
    return {"observation_dim": observation, "action_dim": action}


def _title(name: str) -> str:
    return f"{name}, observation {DIMENSIONS[name][0]}, action {DIMENSIONS[name][1]}"


def bcq(name: str) -> Comparison:
    """Our BCQ beside d3rlpy's."""
    peer, size = "d3rlpy", _size(name)
    peers = (
        Subject(peer, f"{BCQ}:d3rlpy_update", size, None, prepared=False, needs="d3rlpy"),
        Subject(
            "d3rlpy with its sampling",
            f"{BCQ}:d3rlpy_step",
            size,
            peer,
            prepared=False,
            needs="d3rlpy",
        ),
        Subject(
            "d3rlpy with our process settings", f"{BCQ}:d3rlpy_update", size, peer, needs="d3rlpy"
        ),
    )
    return Comparison(
        _title(name),
        "updates/CPU-s",
        (*peers, *_ours(f"{BCQ}:hindcast", size, peer)),
        full=Effort(WARMUP, 200, 5),
        quick=Effort(20, 100, 2),
    )


def ensemble(name: str) -> Comparison:
    """Our ensemble beside the plain version."""
    peer, factory, size = "plain PyTorch", f"{ENSEMBLE}:plain", _size(name)
    peers = (
        Subject(peer, factory, size, None, prepared=False),
        Subject("plain PyTorch with our process settings", factory, size, peer),
        Subject(
            "plain PyTorch, autocast bfloat16",
            factory,
            {**size, "autocast": True},
            peer,
            prepared=False,
            needs=BFLOAT16,
        ),
    )
    return Comparison(
        _title(name),
        "updates/CPU-s",
        (*peers, *_ours(f"{ENSEMBLE}:hindcast", size, peer)),
        full=Effort(WARMUP, 256, 5),
        quick=Effort(20, 128, 2),
    )


def rollouts() -> Comparison:
    """Imagined states, for both kinds of rollout policy."""
    options = {**_size("halfcheetah"), "rollout_batch": 1000}
    names = {"uniform actions, float32": "uniform", "CVAE actions, float32": "cvae"}
    return Comparison(
        f"{_title('halfcheetah')}, 1000 starts, 5 steps",
        "states/CPU-s",
        tuple(
            Subject(name, f"{OTHERS}:rollouts", {**options, "policy": policy})
            for name, policy in names.items()
        ),
        full=Effort(20, 100, 5),
        quick=Effort(2, 20, 2),
    )


def data() -> Comparison:
    """Generated transitions, files written."""
    return Comparison(
        "a file of 200,000 transitions, written",
        "transitions/CPU-s",
        tuple(
            Subject(
                task,
                f"{OTHERS}:data",
                {"task": f"maze2d-{task}-v1", "transitions": 200_000},
                prepared=False,
            )
            for task in ("umaze", "large")
        ),
        full=Effort(1, 1, 5),
        quick=Effort(0, 1, 1),
        profile_steps=1,
    )


def evaluation() -> Comparison:
    """Episodes of BCQ's policy."""
    return Comparison(
        "BCQ, 100 candidate actions a state, 10 episodes side by side",
        "episodes/CPU-s",
        tuple(
            Subject(
                f"{task}, float32",
                f"{OTHERS}:evaluation",
                {"task": f"maze2d-{task}-v1", "episodes": 10},
            )
            for task in ("umaze", "large")
        ),
        full=Effort(1, 1, 5),
        quick=Effort(0, 1, 1),
        profile_steps=1,
    )


def imitation() -> Comparison:
    """BMIL: ten seeds together against one after another."""
    subjects = []
    for precision in PRECISIONS:
        needs = BFLOAT16 if precision == "bfloat16" else None
        alone = f"one run after another, {precision}"
        for runs, name, against in (
            (1, alone, None),
            (SEEDS_TOGETHER, f"{SEEDS_TOGETHER} runs together, {precision}", alone),
        ):
            options = {**PICK, "runs": runs, "precision": precision}
            share = 1.0 / runs
            subjects.append(
                Subject(name, f"{IMITATION}:bmil", options, against, share=share, needs=needs)
            )
    return Comparison(
        "pick and place: an epoch is 100 policy updates, a model fit and its traces",
        "policy updates/CPU-s",
        tuple(subjects),
        full=Effort(1000, 1000, 3),
        quick=Effort(100, 1000, 1),
        profile_steps=100,
    )


def robustness(task: str, starts: int) -> Comparison:
    """A cloned policy from displaced starts against the bare environments."""
    options = {"task": task, "starts": starts}
    bare = "zero actions, bare environments"
    return Comparison(
        f"{task}, displaced starts, resets included",
        "environment steps/CPU-s",
        (
            Subject(bare, f"{IMITATION}:zero_actions", options),
            Subject("BC and BMIL, one run", f"{IMITATION}:robustness", options, bare),
            Subject(
                "BC and BMIL, five runs",
                f"{IMITATION}:robustness",
                {**options, "runs": 5},
                bare,
            ),
        ),
        full=Effort(1, 1, 5),
        quick=Effort(1, 1, 2),
        profile_steps=1,
    )
