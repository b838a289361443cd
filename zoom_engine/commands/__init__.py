"""What one command alone uses."""
