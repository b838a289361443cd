"""The domains that ship: each brings a generator, a text encoder and targets, and is found by its entry point."""
