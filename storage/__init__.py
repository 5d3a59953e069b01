"""Files on this machine and in object stores, read and written alike, and the version folders of pushed models."""
