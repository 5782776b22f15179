"""Data files from the command line: ``python -m envs.datasets generate | lint | info | fetch``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.console import Console
from rich.progress import Progress

from envs import loader, storage
from envs.download import fetch
from envs.errors import DatasetError, FetchError, TaskError
from envs.simulator import mujoco
from envs.spec import DataSpec, generator_of, local_spec
from envs.tasks import get_task

BAD_INPUT = 2
EXPECTED_ERRORS = (TaskError, DatasetError, FetchError, OSError)


def make(spec: DataSpec, out: Path) -> None:
    """Write the file that a spec declares: generate it, fetch it, or check and copy a given one.

    Nothing is left behind when it fails.

    Raises:
        TaskError: the spec does not fit.
        DatasetError: a given or fetched file is not usable.
        FetchError: the download failed.
        OSError: no room, or the folder cannot be written.
    """
    if spec.source == "local":
        _generate(spec, out)
    elif spec.source == "d4rl":
        _fetch(spec.task, out)
    else:
        _take(spec, out)


def _generate(spec: DataSpec, out: Path) -> None:
    task = get_task(spec.task)
    generator = generator_of(task)
    generator.check_options(spec.options)
    total = spec.transitions or spec.options.get("demonstrations")
    with _progress(f"generate {spec.task}", total) as advance:
        arrays = generator.generate(task, spec.seed, spec.transitions, spec.options, advance)
    storage.write(
        out,
        arrays,
        {
            "task": spec.task,
            "source": "local",
            "generator": spec.generator,
            "version": generator.VERSION,
            "seed": spec.seed,
            "mujoco": mujoco.__version__,
            "numpy": np.__version__,
            "spec": spec.canonical(),
        },
    )


def _fetch(task_name: str, out: Path) -> None:
    task = get_task(task_name)
    published = task.data["d4rl"]
    with _progress(f"fetch {task_name}", published.get("bytes")) as advance:
        fetch(
            published["url"],
            out,
            published.get("sha256"),
            published.get("bytes"),
            advance,
            lambda part: loader.load(part, task_name),
        )


def _take(spec: DataSpec, out: Path) -> None:
    given = Path(str(spec.path))
    loader.load(given, spec.task)
    out.parent.mkdir(parents=True, exist_ok=True)
    storage.require_space(out.parent, given.stat().st_size, f"a copy of {given.name}")
    with storage.atomic_file(out) as temporary:
        shutil.copyfile(given, temporary)


@contextlib.contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing when piped."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console) as bar:
        job = bar.add_task(title, total=total)
        yield lambda count: bar.advance(job, count)


def _command_generate(arguments: argparse.Namespace) -> None:
    if arguments.spec:
        flags = ("task", "seed", "transitions", "option")
        given = [name for name in flags if getattr(arguments, name) not in (None, [])]
        if given:
            raise TaskError(f"--{given[0]}: not together with --spec, which says it all")
        spec = DataSpec.parse(arguments.spec)
    elif arguments.task:
        options = dict(_option(text) for text in arguments.option)
        spec = local_spec(arguments.task, arguments.seed or 0, arguments.transitions, options)
    else:
        raise TaskError("give --task NAME or --spec JSON")
    out = arguments.out or Path(spec.default_path)
    make(spec, out)
    print(out)


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TaskError(f"--option {text}: write it as name=value")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _command_lint(arguments: argparse.Namespace) -> None:
    for path in arguments.files:
        task = arguments.task or _owner(path)
        dataset = loader.load(path, task)
        print(f"{path}: ok, {len(dataset)} rows of {task}")


def _owner(path: Path) -> str:
    """The task a file says it belongs to."""
    if not path.exists():
        raise DatasetError(f"{path}: no such file; generate or fetch it")
    with contextlib.suppress(OSError), h5py.File(path) as file:
        if "task" in file.attrs:
            return str(file.attrs["task"])
        raise DatasetError(f"{path}: does not say which task it belongs to; give --task NAME")
    raise DatasetError(f"{path}: not a readable HDF5 file; delete it and make it again")


def _command_info(arguments: argparse.Namespace) -> None:
    task = arguments.task or _owner(arguments.file)
    dataset = loader.load(arguments.file, task)
    transitions = loader.rows(dataset, include_terminal=True)
    lengths = np.bincount(transitions.trajectory)
    returns = np.bincount(transitions.trajectory, weights=transitions.reward)
    facts = {
        "task": task,
        "source": dataset.source,
        "generator": dataset.generator,
        "sha256": dataset.sha256,
        "rows": len(dataset),
        "transitions": len(transitions),
        "trajectories": len(lengths),
        "mean length": round(float(lengths.mean()), 2),
        "mean reward": round(float(dataset.rewards.mean()), 6),
        "mean return": round(float(returns.mean()), 4),
        "reward at": dataset.reward_at,
    }
    for name, value in facts.items():
        print(f"{name:14} {value}")


def _command_fetch(arguments: argparse.Namespace) -> None:
    spec = DataSpec(arguments.task, "d4rl")
    spec.check()
    out = (
        arguments.out
        or Path("data") / arguments.task / get_task(arguments.task).data["d4rl"]["file"]
    )
    make(spec, out)
    print(out)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m envs.datasets", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    generate = commands.add_parser("generate", help="make the data of a task")
    generate.add_argument("--spec", help="data spec as JSON, as the plan writes it")
    generate.add_argument("--task", help="name of the task")
    generate.add_argument("--seed", type=int, help="seed of the generator (default 0)")
    generate.add_argument("--transitions", type=int, help="rows (default: as the published file)")
    generate.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the generator",
    )
    generate.add_argument("--out", type=Path, help="file to write (default: data/TASK/..)")
    generate.set_defaults(run=_command_generate)
    lint = commands.add_parser("lint", help="check files")
    lint.add_argument("files", nargs="+", type=Path)
    lint.add_argument("--task", help="task of files that do not say it")
    lint.set_defaults(run=_command_lint)
    info = commands.add_parser("info", help="check a file and say what is in it")
    info.add_argument("file", type=Path)
    info.add_argument("--task", help="task of a file that does not say it")
    info.set_defaults(run=_command_info)
    fetching = commands.add_parser("fetch", help="download the published file of a task")
    fetching.add_argument("--task", required=True)
    fetching.add_argument("--out", type=Path, help="file to write (default: data/TASK/FILE)")
    fetching.set_defaults(run=_command_fetch)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; bad input ends with one line on stderr and exit code 2."""
    arguments = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary files are removed
    try:
        arguments.run(arguments)
    except EXPECTED_ERRORS as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


if __name__ == "__main__":
    main()
