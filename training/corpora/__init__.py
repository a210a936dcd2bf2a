"""Texts to train on: where they come from, how they are laid out, how they are split."""
