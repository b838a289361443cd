"""The places: buildings in a landscape whose truth is known, drawn in milliseconds."""
