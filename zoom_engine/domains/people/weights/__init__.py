"""Weights as package data; `lab.people.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
