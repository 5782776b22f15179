"""Fit jobs: ``python -m algos.fit --spec JSON --data FILE.. --out DIR``.

Fits a dynamics model or a rollout policy for a block of seeds; writes ``fit.json``, ``model.safetensors`` and
``progress.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algos import jobs
from algos.core.loop import Loop
from algos.core.spec import JobSpec, SpecError, implementation
from algos.data import RunData, declared_data, layout_of, load_runs


def fit(argv: Sequence[str] | None = None) -> None:
    """Run one fit job."""
    job = jobs.parse(argv, "fit", "Fit a model for a block of seeds.")
    jobs.run_locked(job, lambda: _fit(job))


def _fit(job: jobs.Job) -> None:
    kind = implementation(job.spec.implementation)
    config = job.spec.build(kind.Config)
    rows = _declared_rows(job.spec)  # before files are read
    data = load_runs(job.data, job.spec, config.include_terminal, job.device)
    inputs = jobs.fingerprint(job, data)
    state = jobs.finished_state(job, inputs) or _train(job, kind, config, data, rows, inputs)
    record = jobs.common_record(job, state)
    record["runs"] = _runs(job, state)
    jobs.emit(job, state, record, ("fit.json", jobs.MODEL))


def _train(
    job: jobs.Job, kind: Any, config: Any, data: list[RunData], rows: int, inputs: str
) -> Any:
    spec = job.spec
    learner = kind(
        config,
        [run.rows for run in data],
        layout_of(spec.task),
        spec.seeds,
        rows,
        spec.precision,
    )
    loop = Loop(
        learner,
        learner.updates,
        learner.evaluate_every,
        learner.evaluate,
        job.scratch,
        spec.digest,
        inputs,
        label=f"fit {spec.algo} {spec.task}",
        started=job.started,
    )
    history = loop.run()
    tensors, summaries = learner.result()
    extra = {"summaries": summaries, "data": jobs.infos(spec, data)}
    return jobs.keep_finished(job, inputs, history, tensors, extra)


def _declared_rows(spec: JobSpec) -> int:
    """Transitions that the spec's data declare; epochs and the hold-out follow them.

    Raises:
        SpecError: demonstrations, which declare none.
    """
    declared: int | None = declared_data(spec)["transitions"]
    if declared is None:
        raise SpecError(
            f"{spec.algo}: data of {spec.task} declare no number of transitions, which epochs and hold-out follow; "
            "fits take data sets of transitions, not demonstrations"
        )
    return declared


def _runs(job: jobs.Job, state: Any) -> list[dict[str, Any]]:
    failures = state["history"]["failures"]
    return [
        {
            "seed": seed,
            "status": "failed" if failure else "finished",
            "failure": failure,
            **({} if failure else summary),
        }
        for seed, failure, summary in zip(job.spec.seeds, failures, state["summaries"], strict=True)
    ]


if __name__ == "__main__":
    jobs.main(fit)
