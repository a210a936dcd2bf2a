"""What a text costs without a network: counting, and the archivers. Figures to stand beside."""
