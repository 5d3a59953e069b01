"""How far a forecast can be off: learnt from days that a network's training has left out."""
