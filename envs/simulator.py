"""The import of MuJoCo, in one place.

MuJoCo loads the OpenGL back end named by MUJOCO_GL while it is imported, and fails with it, also where nothing is
ever drawn. Here that becomes one line with a remedy.
"""

from __future__ import annotations

import os

from envs.errors import RenderingError

try:
    import mujoco
    from mujoco import rollout
except (ImportError, AttributeError, RuntimeError) as error:
    wanted = os.environ.get("MUJOCO_GL")
    if not wanted:
        raise
    raise RenderingError(
        f"MUJOCO_GL={wanted} does not work on this machine ({type(error).__name__});"
        " unset it and a working back end is chosen when something is drawn"
    ) from None

__all__ = ["mujoco", "rollout"]
