"""Training recipes of the places: ``python -m lab.places.train {probe,generator,text,targets,tasks}``."""
