"""A crowd that speaks every dialect, while the server is killed and started again."""
