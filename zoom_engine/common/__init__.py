"""Code that needs nothing else of the engine: errors, progress, registries, typed reading, files."""
