"""Looks at a Python that shall run the engine. Runs inside it, as a script: nothing but the standard library.

Reads a list of requirements as JSON from its argument, and prints one line of JSON.
"""

import json
import sys
from importlib import metadata


def missing(requirements):
    """Return those of the requirements that are not met."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # pip has it, where nothing else does
        from pip._vendor.packaging.requirements import Requirement

    def is_met(text):
        requirement = Requirement(text)
        try:
            return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            return False

    return [text for text in requirements if not is_met(text)]


def devices():
    """Return where PyTorch can compute, with free and whole memory in bytes, None if that is not known."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    found = [("cpu", memory.available, memory.total)]
    for number in range(torch.cuda.device_count()):
        found.append((f"cuda:{number}", *torch.cuda.mem_get_info(number)))
    if torch.backends.mps.is_available():
        found.append(("mps", memory.available, memory.total))
    return found


def models():
    """Return the models: name, whether the weights are here, bytes."""
    from textsegment.inference.weights.models import list_models

    return [(status.name, status.ready, status.size) for status in list_models()]


def main():
    """Print what there is to know."""
    report = {"python": list(sys.version_info[:3]), "missing": missing(json.loads(sys.argv[1]))}
    if not report["missing"] and sys.version_info >= (3, 10):
        report["devices"] = devices()
        report["models"] = models()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
