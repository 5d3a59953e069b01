"""Lets every test folder `from standin import server`: tests/ goes last on sys.path.

The checkout's root stays off it. Folders here without an __init__.py never hide the installed packages that have
their names: Python takes a regular package anywhere on the path before a folder without one.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
