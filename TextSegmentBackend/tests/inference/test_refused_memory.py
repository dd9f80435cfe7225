"""Memory that the operating system refuses, in a process of its own; sv6 in all of them."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
import torch

from textsegment.inference.device import is_out_of_memory

REFUSED = """
import resource, sys
import psutil
from textsegment.errors import OutOfMemoryError
from textsegment.inference.engine import LocalSegmenter
from textsegment.testing import phantom

def limit(extra):
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (hard if extra is None else used + extra, hard))

_, hard = resource.getrlimit(resource.RLIMIT_AS)
if sys.argv[1] == "loading":
    import textsegment.inference.weights.models, safetensors.torch, textsegment.model.checkpoints.checkpoint
    limit(2**20)
    try:
        LocalSegmenter(device="cpu", threads=1)
    except OutOfMemoryError as error:
        print(error.code)
else:
    engine = LocalSegmenter(device="cpu", threads=1, feature_cache_bytes=0)
    expected = engine.segment(phantom(), ["liver"])
    limit(8 * 2**20)
    try:
        engine.segment(phantom(), ["liver"])
    except OutOfMemoryError as error:
        print(error.code)
    limit(None)
    again = engine.segment(phantom(), ["liver"])
    shape = phantom().geometry.spatial_shape
    assert (again.masks[0].full(shape) == expected.masks[0].full(shape)).all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the address space")
@pytest.mark.parametrize("moment", ["loading", "computing"])
def test_refused_memory_is_typed_and_the_engine_lives(moment):
    """sv6: PyTorch's words for it on Linux were not known, and the answer was ``internal``."""
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, moment], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "out_of_memory"), done.stderr


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("ITK ERROR: Image: Failed to allocate memory for image."),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=lambda error: str(error)[:30],
)
def test_words_of_all_who_refuse_memory_are_known(error):
    """sv6, variants."""
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes do not match"), OSError(errno.ENOSPC, "No space left"), ValueError("memory")],
)
def test_other_errors_are_none(error):
    assert not is_out_of_memory(error)
