from worlds.live_city import city  # noqa: F401
