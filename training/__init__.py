"""Train a recurrent language model, export it as a step graph, publish it into a model store."""
