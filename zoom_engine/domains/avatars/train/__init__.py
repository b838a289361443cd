"""Training recipes of the avatars: ``python -m zoom_engine.domains.avatars.train {probe,generator,text,targets}``."""
