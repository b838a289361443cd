"""What the training recipes of all domains share."""
