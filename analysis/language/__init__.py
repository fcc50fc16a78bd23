"""How much smoothing a language model bears: the perplexity of given texts, teacher forced token by token inside the method; no image."""
