"""Choice and properties of the device on which the network runs."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from textsegment.errors import DeviceError, OutOfMemoryError

CPU = torch.device("cpu")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device with this name; ``"auto"`` prefers CUDA, then Apple's MPS, then the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        DeviceError: The name is invalid, or this computer has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps") if torch.backends.mps.is_available() else CPU
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()):
        raise DeviceError("The device is not known.", "Use auto, cpu, cuda, cuda:1 or mps.")
    if kind == "cpu":
        return CPU
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("There is no Apple GPU that PyTorch can use.", "Use --device cpu.")
        return torch.device("mps")
    if not torch.cuda.is_available():
        raise DeviceError(
            "There is no CUDA device that PyTorch can use.",
            "Install a CUDA build of PyTorch and a driver, or use --device cpu.",
        )
    index = int(number) if number else torch.cuda.current_device()
    if index >= torch.cuda.device_count():
        raise DeviceError(f"There are only {torch.cuda.device_count()} CUDA devices, counted from 0.")
    return torch.device("cuda", index)


def use_threads(count: int) -> None:
    """Set the number of CPU threads that PyTorch uses in this process; by default it uses all cores.

    Raises:
        DeviceError: The number is less than one.
    """
    if count < 1:
        raise DeviceError("The number of threads is at least one.")
    torch.set_num_threads(count)


@contextmanager
def computing(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """Context in which convolutions and matrix products use a precision, and float32 is true float32."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=precision != torch.float32),
        torch.autocast(device.type, dtype=precision, enabled=True)
        if precision != torch.float32
        else torch.autocast(device.type, enabled=False),
    ):
        yield


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device in bytes; for CPU and MPS, which share it, that of the host."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    return int(psutil.virtual_memory().available)


def release_memory(device: torch.device) -> None:
    """Release memory that PyTorch holds for reuse back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


# Error texts, in lower case, of PyTorch (Linux, Windows, GPU), oneDNN, the CUDA libraries, SimpleITK and C++.
_REFUSALS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "could not allocate memory",
    "bad_alloc",
    "bad allocation",
    "status_alloc_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports insufficient memory; PyTorch has a type for that on CUDA only.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(refusal in text for refusal in _REFUSALS)


@contextmanager
def refusing_typed(what: str) -> Iterator[None]:
    """Convert failed memory allocations in the block to an error that says what the memory was needed for.

    Raises:
        OutOfMemoryError: Memory could not be allocated.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"The memory does not suffice for {what}.",
            "Use a smaller model, another device, or close other programs.",
        ) from error
