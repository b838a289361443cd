"""Attributes that nobody typed: the smallest edits that move a target, clustered, tried on other images, named."""
