"""``python -m lab.cars.train``: reproduce the weights."""

from __future__ import annotations

from lab.cars.train.subject import PHASES, POOL, RECIPES, SUBJECT, TASKS
from lab.training.command import train_parts
from lab.training.domain import ORDER, parts_of
from zoom_engine.domains.cars.weights import WEIGHTS

if __name__ == "__main__":
    train_parts("cars", parts_of(POOL, PHASES, RECIPES, TASKS), WEIGHTS, probe=SUBJECT.probe, order=ORDER)
