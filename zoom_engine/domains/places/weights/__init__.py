"""Weights as package data; `lab.places.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
