"""Stub of the lead; overwrite."""
