"""What is known beside the flows: weather and holidays files."""
