"""From windows to a SavedModel: the Transform step, the network, training, export."""
