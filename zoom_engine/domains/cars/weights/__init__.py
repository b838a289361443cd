"""Weights as package data; `lab.cars.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
