"""Training recipes of the cars: ``python -m lab.cars.train {probe,generator,text,targets,tasks}``."""
