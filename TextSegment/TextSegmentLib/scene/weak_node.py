"""References to nodes that may be deleted at any moment."""

from __future__ import annotations

from typing import Any

import vtk


class WeakNode:
    """Weak reference to a node, which does not keep it alive.

    Args:
        node: Node in a scene.
    """

    def __init__(self, node: Any) -> None:
        self._reference = vtk.vtkWeakReference()
        self._reference.Set(node)

    @property
    def node(self) -> Any:
        """Node; None once it was deleted or its scene was closed."""
        node = self._reference.Get()
        return node if node is not None and node.GetScene() is not None else None
