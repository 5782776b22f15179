"""Pictures without a screen."""

from __future__ import annotations

import atexit
import importlib
import os
from typing import Any

import numpy as np

from envs.errors import RenderingError
from envs.simulator import mujoco

BACKENDS = ("egl", "osmesa", "glfw")
REMEDY = "install libegl1 or libosmesa6, or set MUJOCO_GL to egl, osmesa or glfw"


def _make_context(width: int, height: int) -> Any:
    """An OpenGL context of the back end that MUJOCO_GL names, or of the first one that works."""
    wanted = os.environ.get("MUJOCO_GL", "").lower().strip()
    problems = []
    for name in (wanted,) if wanted in BACKENDS else BACKENDS:
        try:
            context = importlib.import_module(f"mujoco.{name}").GLContext(width, height)
            context.make_current()
            return context
        except Exception as error:  # back ends fail in ways of their own: any means "not this one"
            problems.append(f"{name}: {type(error).__name__}")
    raise RenderingError(f"no OpenGL back end works ({', '.join(problems)}); {REMEDY}")


class TopView:
    """The camera ``top`` of a model, drawn off screen."""

    def __init__(self, model: Any, width: int, height: int) -> None:
        self._context = _make_context(width, height)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = model.camera("top").id
        self._option, self._perturb = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._model = model
        self._draw = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._draw)
        atexit.register(self.close)  # a context that outlives its display prints an error

    def frame(self, data: Any) -> np.ndarray:
        """One picture, uint8 ``[height, width, 3]``."""
        self._context.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            self._perturb,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._draw)
        pixels = np.empty((self._rectangle.height, self._rectangle.width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rectangle, self._draw)
        return np.flipud(pixels).copy()

    def close(self) -> None:
        """Free the context."""
        atexit.unregister(self.close)
        self._draw.free()
        self._context.free()
