"""Process pools, measured beside each other in one run."""
