"""Training recipes of the pets: ``python -m lab.pets.train {probe,generator,text,targets,prompted}``."""
