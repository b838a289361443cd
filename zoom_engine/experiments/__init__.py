"""Experiments: what the engine shows about itself, as commands."""
