"""Nodes that may be deleted at any moment."""

from __future__ import annotations

from typing import Any

import vtk


class WeakNode:
    """Knows a node without keeping it alive.

    Args:
        node: One of a scene.
    """

    def __init__(self, node: Any) -> None:
        self._reference = vtk.vtkWeakReference()
        self._reference.Set(node)

    @property
    def node(self) -> Any:
        """The node; None once it was deleted or its scene was closed."""
        node = self._reference.Get()
        return node if node is not None and node.GetScene() is not None else None
