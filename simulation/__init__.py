"""The simulated city: its people, its trips and its files."""
