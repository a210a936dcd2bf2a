"""What a token is, written as a Hugging Face `tokenizer.json`."""
