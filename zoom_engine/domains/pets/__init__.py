"""The pet domain: parametric cats and dogs whose truth is known."""
