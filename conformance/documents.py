#!/usr/bin/env python3
"""Takes a document apart with one public tool, into the current folder: documents.py TOOL FILE. Fails if the tool does not open it.

Used by `cargo conformance documents`. olefile, rtfobj (of oletools) and qpdf (through pikepdf) are modules of PyPI, the others programs of Debian.
"""
import email
import email.policy
import os
import subprocess
import sys

tool, path = sys.argv[1:]
data = open(path, "rb").read()


def put(name, content):
    """Writes a member under its last name, numbered if there is one already."""
    name = "".join(sign if sign.isprintable() and sign not in "/\\" else "_" for sign in name)[-120:] or "_"
    folder = 0
    while os.path.exists(f"{folder}/{name}"):
        folder += 1
    os.makedirs(str(folder), exist_ok=True)
    with open(f"{folder}/{name}", "wb") as out:
        out.write(content)


def run(*command):
    code = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        sys.exit(code)


def text(content):
    """A text without its line ends, which ripmime and munpack write in a way of their own."""
    return b"".join(content.split())


def drop_texts(texts):
    """Removes files that differ from these texts in white space alone: they are asked for as Python gives them."""
    texts = {text(content) for content in texts}
    for name in os.listdir("."):
        with open(name, "rb") as file:
            content = file.read()
        if text(content) in texts:
            os.remove(name)


def require(condition):
    if not condition:
        sys.exit(1)


if tool == "olefile":
    import olefile

    require(olefile.isOleFile(data=data))
    with olefile.OleFileIO(data) as document:
        for entry in document.listdir():
            put(entry[-1].lstrip("\x01\x02\x03\x05\x06"), document.openstream(entry).read())
elif tool == "rtfobj":
    from oletools import rtfobj

    require(data.startswith(b"{\\rt"))
    parser = rtfobj.RtfObjParser(data)
    parser.parse()
    for number, found in enumerate(parser.objects):
        put(f"object {number + 1}", bytes(found.rawdata))
elif tool == "qpdf":
    import pikepdf

    require(data.startswith(b"%PDF"))
    with pikepdf.open(path) as document:
        require(not document.is_encrypted)
        for found in document.objects:
            if isinstance(found, pikepdf.Stream) and found.get("/Type") not in ("/XRef", "/ObjStm"):
                try:
                    content = found.read_bytes(pikepdf.StreamDecodeLevel.generalized)
                except pikepdf.PdfError:
                    content = b""
                put(f"object {found.objgen[0]} {found.objgen[1]}", content)
elif tool == "pdfdetach":
    require(data.startswith(b"%PDF"))
    run("pdfdetach", "-saveall", path)
elif tool == "unzip":
    require(data.startswith(b"PK"))
    run("unzip", "-q", "-o", path)
elif tool in ("ripmime", "munpack", "python-email"):
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    require(not data.startswith((b"PK", b"%PDF", b"{\\rt", b"\xd0\xcf")) and message.get("From") and not message.defects)
    if tool == "ripmime":
        run("ripmime", "-i", path, "-d", ".", "--no-nameless")
    if tool == "munpack":
        run("munpack", "-q", path)
    parts = [part for part in message.walk() if not part.is_multipart()]
    if tool != "python-email":
        drop_texts(part.get_payload(decode=True) or b"" for part in parts)
    else:
        for part in parts:
            if not part.defects and part.get_filename():
                put(part.get_filename(), part.get_payload(decode=True) or b"")
elif tool == "tnef":
    require(data.startswith(b"\x78\x9f\x3e\x22"))
    run("tnef", "--overwrite", "-f", path)
