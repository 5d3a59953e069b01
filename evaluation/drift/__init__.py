"""How far the newest flows are from those that a model was trained on."""
