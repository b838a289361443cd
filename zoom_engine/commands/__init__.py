"""What only one command uses."""
