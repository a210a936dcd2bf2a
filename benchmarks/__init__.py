"""What the README's figures come from; each program runs by one command."""
