"""Edited pictures that come from elsewhere: pairs that others made, and editors of photographs."""
