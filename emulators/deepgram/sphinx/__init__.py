"""A real recogniser with a demo vocabulary: pocketsphinx, a small language model, and worker processes."""
