"""Raw trips and trajectories, counted into flows."""
