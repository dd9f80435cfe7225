"""RT structure sets, written and read."""
