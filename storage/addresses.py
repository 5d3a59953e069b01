"""Addresses in object stores."""

SCHEMES = ("s3://", "gs://")


def is_address(path: str) -> bool:
    """Whether a path is an address in a supported object store."""
    return path.startswith(SCHEMES)


def is_whole(address: str) -> bool:
    """Whether an address has a bucket and no empty part."""
    return all(address.partition("://")[2].rstrip("/").split("/"))
