"""`crowdflow inspect`: what files are, and the settings that they need, before any run."""
