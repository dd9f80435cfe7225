"""Masks that are kept in the scene beside a segmentation, saved and loaded with it.

A hidden node holds them, each under the digest of the content that a segment had: a segment finds its own
whatever became of its name, and also when an undo brings it back.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

import slicer

from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.scene.segment.content import Content

_ROLE = "TextSegment.StoredMasks"
# Without a text of its own, its attributes are all that it has, and they are in the file of the scene.
_TYPE = "vtkMRMLTextNode"


class Kind(StrEnum):
    """What a stored mask is to the content under whose digest it is kept."""

    RESULT = "result"
    """The content itself."""
    DRAWN = "drawn"
    """Voxels of which a person has said, before this content was made, whether they belong to it."""
    RAW = "raw"
    """What the model had found, before it was tidied into this content."""


class StoredMasks:
    """Masks stored beside one segmentation.

    Args:
        segmentation_node: Segmentation whose segments the masks belong to.
    """

    def __init__(self, segmentation_node: Any) -> None:
        self._segmentation_node = segmentation_node

    def keep(self, kind: Kind, content: Content, mask: PackedMask | None) -> None:
        """Store a mask for a content; None stores nothing."""
        if mask is not None:
            self._node(make=True).SetAttribute(_key(kind, content), mask.to_text())

    def find(self, kind: Kind, content: Content) -> PackedMask | None:
        """Return the mask of a content; None if it is missing, or was damaged.

        A result is returned at the place of ``content``.
        """
        node = self._node(make=False)
        text = node.GetAttribute(_key(kind, content)) if node is not None else ""
        try:
            mask = PackedMask.from_text(text) if text else None
        except ValueError:  # somebody has changed the file
            return None
        if mask is None or kind is not Kind.RESULT:
            return mask
        if mask.content.digest != content.digest:
            return None
        # Of two segments with equal voxels at different places, each has its own place.
        return replace(mask, content=replace(content, shape=mask.content.shape))

    def _node(self, *, make: bool) -> Any:
        """Return the node that holds the masks; None if there is none and none is to be made."""
        node = self._segmentation_node.GetNodeReference(_ROLE)
        if node is None and make:
            scene = self._segmentation_node.GetScene()
            _remove_orphans(scene)
            node = slicer.vtkMRMLTextNode()
            node.SetHideFromEditors(True)
            node.SetAttribute(_ROLE, "1")
            node.SetName(scene.GenerateUniqueName("TextSegment stored masks"))
            node = scene.AddNode(node)
            self._segmentation_node.SetNodeReferenceID(_ROLE, node.GetID())
        return node


def _remove_orphans(scene: Any) -> None:
    """Remove the stored masks of segmentations that were deleted."""
    used = {node.GetNodeReferenceID(_ROLE) for node in _nodes(scene, "vtkMRMLSegmentationNode")}
    for node in _nodes(scene, _TYPE):
        if node.GetAttribute(_ROLE) and node.GetID() not in used:
            scene.RemoveNode(node)


def _nodes(scene: Any, class_name: str) -> list[Any]:
    return [scene.GetNthNodeByClass(n, class_name) for n in range(scene.GetNumberOfNodesByClass(class_name))]


def _key(kind: Kind, content: Content) -> str:
    return f"{kind}.{content.digest.hex()}"
