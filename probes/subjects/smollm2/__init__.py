"""The bundled subject round a pretrained language model: SmolLM2-135M-Instruct with a tower, a projector and LoRA of our own."""
