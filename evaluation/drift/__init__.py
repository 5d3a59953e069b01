"""How far the newest flows have drifted from a model's training data."""
