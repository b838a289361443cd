"""Weights as package data; `lab.pets.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
