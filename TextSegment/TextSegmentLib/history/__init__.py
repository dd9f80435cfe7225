"""What segments were at earlier moments: as runs made them, and before and after each change."""
