"""Lay rbcl's libsodium out as a file of the image. Run once, while the image is built.

The package carries the library as text, and writes it into a temporary file to load it at every
start. In our containers nothing that can be written can be executed, so that loading fails there.
"""

import shutil
import sys
from pathlib import Path

import rbcl

assert rbcl
written = sys.modules["rbcl._sodium"].lib_path
module = Path(rbcl.__file__).with_name("_sodium.py")
library = module.with_name("libsodium.so")
shutil.copyfile(written, library)
Path(written).unlink()
module.write_text(f"""from ctypes import cdll

lib_path = {str(library)!r}
_sodium = cdll.LoadLibrary(lib_path)
""")
