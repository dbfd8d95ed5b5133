"""What runs here: the installed version, read without importing what a member installs."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("gba-dataspace")
WIRE: Final = "dataspace.v1"  # the package of proto/, which is the wire's version
