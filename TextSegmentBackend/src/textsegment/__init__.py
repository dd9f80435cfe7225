"""Segment anatomy in CT, MR and PET volumes by naming it.

>>> import textsegment
>>> volume = textsegment.read_volume("scan.nii.gz", modality="CT")
>>> result = textsegment.LocalSegmenter("sat-demo").segment(volume, ["liver", "left kidney"])
>>> result["liver"].statistics.volume_ml
>>> textsegment.write_result(result, "result.seg.nrrd")

Names are loaded on first use, so importing this package requires neither PyTorch nor any other package of the
``engine`` extra.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import warn

from textsegment import errors

if TYPE_CHECKING:
    from textsegment.client.remote import RemoteSegmenter
    from textsegment.correction.edit import Edit
    from textsegment.errors import TextSegmentError
    from textsegment.files.reading import read_scan, read_volume
    from textsegment.files.results import write_result
    from textsegment.geometry import Box, Geometry
    from textsegment.inference.engine import LocalSegmenter
    from textsegment.origin import Origin
    from textsegment.prompt import Prompt
    from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
    from textsegment.segmenter import CancelToken, MaskReady, Progress, Queued
    from textsegment.volume import Volume

__version__ = "0.1.0"

__all__ = [
    "Box",
    "CancelToken",
    "Edit",
    "Geometry",
    "LocalSegmenter",
    "MaskReady",
    "MaskStatistics",
    "Origin",
    "Progress",
    "Prompt",
    "Queued",
    "RemoteSegmenter",
    "Segmentation",
    "StructureMask",
    "TextSegmentError",
    "Volume",
    "__version__",
    "errors",
    "load",
    "read_scan",
    "read_volume",
    "write_result",
]

_HOMES = {
    "textsegment.errors": ("TextSegmentError",),
    "textsegment.client.remote": ("RemoteSegmenter",),
    "textsegment.correction.edit": ("Edit",),
    "textsegment.files.reading": ("read_scan", "read_volume"),
    "textsegment.files.results": ("write_result",),
    "textsegment.geometry": ("Box", "Geometry"),
    "textsegment.inference.engine": ("LocalSegmenter",),
    "textsegment.origin": ("Origin",),
    "textsegment.prompt": ("Prompt",),
    "textsegment.segmentation": ("MaskStatistics", "Segmentation", "StructureMask"),
    "textsegment.segmenter": ("CancelToken", "MaskReady", "Progress", "Queued"),
    "textsegment.volume": ("Volume",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def load(model: str = "sat-demo", *, device: str = "auto", precision: str = "auto") -> "LocalSegmenter":
    """Load a model by name; equivalent to ``LocalSegmenter(model, …)``.

    Args:
        model: ``sat-demo``, which ships with this package, or ``sat-nano`` or ``sat-pro``, whose weights are
            downloaded with ``textsegment weights download``.
        device: Device to compute on: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: Precision of the image network: ``auto``, ``fp32``, ``fp16`` or ``bf16``.

    Raises:
        WeightsError: The model does not exist, or its weights are missing or invalid.
        DeviceError: The device is not available or does not support this precision.
    """
    from textsegment.inference.engine import LocalSegmenter

    return LocalSegmenter(model, device=device, precision=precision)


def __getattr__(name: str) -> Any:
    if name == "Segmenter":  # the name of the protocol; to be removed in version 1.0
        warn("textsegment.Segmenter is called LocalSegmenter.", DeprecationWarning, stacklevel=2)
        name = "LocalSegmenter"
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
