"""Training recipes of the embedded domain: ``python -m zoom_engine.avatars.train {probe,generator,text,targets}``."""
