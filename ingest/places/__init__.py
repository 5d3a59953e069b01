"""Tables of places, and the positions of trips that name places by an id."""
