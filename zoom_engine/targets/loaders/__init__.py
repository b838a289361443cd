"""The loaders of models, one file per kind; each returns the `LoadedModel` that it found."""
