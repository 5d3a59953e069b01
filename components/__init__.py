"""The TFX nodes, one folder each, named as the node is."""
