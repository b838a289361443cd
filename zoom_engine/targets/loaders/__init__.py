"""One file per kind of model; each returns the `LoadedModel` that it found."""
