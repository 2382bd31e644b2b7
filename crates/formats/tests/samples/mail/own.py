"""Lists what Python sees in the test messages of its own package."""

import email
import glob
import os
import sysconfig

from leaves import lines

folder = os.path.join(sysconfig.get_path("stdlib"), "test", "test_email", "data")
for path in sorted(glob.glob(os.path.join(folder, "msg_*.txt"))):
    with open(path, "rb") as file:
        raw = file.read()
    print("FILE " + path)
    print("\n".join(lines(email.message_from_bytes(raw))))
