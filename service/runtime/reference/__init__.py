"""What proves: the same decoding one step at a time in numpy, and a model without weights."""
