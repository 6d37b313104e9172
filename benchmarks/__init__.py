"""Benches: each times ours beside a peer in the same run, alternating, and prints the target beside the figure.

Machines are shared and noisy, so what counts is the ratio of the medians.
"""
