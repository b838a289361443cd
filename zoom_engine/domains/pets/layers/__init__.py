"""Layers of a pet, from back to front."""
