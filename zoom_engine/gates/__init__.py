"""Audits compared with each other, and audits held to rules: what a release may be decided by."""
