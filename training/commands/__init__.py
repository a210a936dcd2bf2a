"""What each verb of `lstm-train` does with its options; the work is done elsewhere."""
