"""From a volume and prompts to masks with a SAT network on this computer."""
