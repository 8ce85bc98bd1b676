"""Labels out: what people decided, as datasets that a model can be trained on."""
