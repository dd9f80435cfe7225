"""Inference with a SAT network on this computer: from a volume and prompts to masks."""

import os

# PyTorch's threads wait for each other many times per patch. On a busy machine, spinning threads would waste
# their share of the processor and take many times as long; sleeping threads leave it to those with work to
# do. PyTorch reads this setting when it is first imported, so it is made before any other import here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
