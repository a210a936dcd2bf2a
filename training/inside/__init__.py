"""What goes on inside of a published model while it reads a text."""
