"""The data contract: feature names, intervals of time, errors, schema templates. README.md has it in words."""
