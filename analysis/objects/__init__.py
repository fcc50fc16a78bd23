"""Objects over decoding steps: their sets, classes, names and looks; what logits and coupling share."""
