"""Training recipes of the avatars: ``python -m lab.avatars.train {probe,generator,text,targets}``."""
