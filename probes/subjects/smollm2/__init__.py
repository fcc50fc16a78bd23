"""The bundled subject round a pretrained language model: SmolLM2-135M-Instruct with a small tower, a projector and a LoRA delta of our own."""
