from worlds.evaluations import columns, evaluations  # noqa: F401
from worlds.live_city import city  # noqa: F401
