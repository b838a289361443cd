"""Checkpoint files: our own format, and other people's read as hostile until checked."""
