"""May a generator be audited for a model? Photographs of its use beside the generator's own pictures."""
