"""A city's flows for people to look at: one page with a map, a time slider and a cell's week."""
