"""From a volume and prompts to masks with a SAT network on this computer."""

import os

# PyTorch's threads wait for each other many times in a patch. On a busy machine they would burn their share
# of the processor with waiting and take many times as long; asleep they leave it to who works. PyTorch reads
# this when it is first imported, so it stands here, before anything of this room.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
