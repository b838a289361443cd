"""Training recipes of the pets: ``python -m zoom_engine.domains.pets.train {probe,generator,text,targets}``."""
