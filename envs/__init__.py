"""Environments, data generators, loaders and checks; importing it registers the tasks with gymnasium."""

from __future__ import annotations

import gymnasium

from envs.tasks import all_tasks


def _register() -> None:
    for task in all_tasks().values():
        if task.implemented and task.name not in gymnasium.registry:
            gymnasium.register(
                id=task.name,
                entry_point=task.implementation,
                max_episode_steps=task.horizon,
                kwargs={"task": task.name},
            )


_register()
