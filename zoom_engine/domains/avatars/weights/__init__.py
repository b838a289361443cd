"""Weights as package data; `lab.avatars.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
