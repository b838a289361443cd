"""Audits beside each other, and audits held to rules: what a release may be decided by."""
