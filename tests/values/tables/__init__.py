"""What notebooks hold, by library; see `tests.values.table`."""
