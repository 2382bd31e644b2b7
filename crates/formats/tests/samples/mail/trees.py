"""Writes random messages and what Python sees in them."""

import email
import random
import sys
from email import encoders
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart

from leaves import lines

WORDS = ["badger", "sett", "-- ", "--", "From here", "=3D", ".", "x" * 90, "tunnel=", "-----", "dachs", "\u00e4\u4f60", ""]
NAMES = ["a.txt", "a b.exe", 'q"uote\\.bin', "\u4f60\u597d.zip", "\u00e4.doc", "n" * 150 + ".js", "semi;colon", "(c).x", "a'b%41.y"]
rng = random.Random(20220)


def text():
    return "\n".join(" ".join(rng.choices(WORDS, k=rng.randrange(1, 6))) for _ in range(rng.randrange(1, 12)))


def plain():
    return text().encode("ascii", "replace").decode()


def leaf():
    main, sub = rng.choice([("text", "plain"), ("text", "html"), ("application", "octet-stream"), ("image", "png")])
    part = MIMENonMultipart(main, sub)
    style = rng.randrange(4)
    if style == 0:
        part.set_payload(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 3000))))
        encoders.encode_base64(part)
    elif style == 1:
        part.set_payload(text().encode())
        encoders.encode_quopri(part)
    elif style == 2:
        part.set_payload("x" + plain())
        part["Content-Transfer-Encoding"] = rng.choice(["7bit", "8bit", "binary"])
    else:
        part.set_payload("y" + plain())
    name = rng.choice(NAMES + [None] * 6)
    if name:
        way = rng.randrange(4)
        value = name if name.isascii() else ("utf-8", "", name)
        if way == 0:
            part.add_header("Content-Disposition", "attachment", filename=value)
        elif way == 1:
            part.set_param("name", value)
        elif way == 2:
            part.set_param("name", email.header.Header(name, "utf-8", maxlinelen=2000).encode())
        else:
            part["Content-Disposition"] = "attachment;\n" + ";\n".join(
                f" filename*{n}*={'utf-8' + chr(39) * 2 if n == 0 else ''}{piece}" for n, piece in enumerate(pieces(name)))
    return part


def pieces(name):
    quoted = ["%%%02X" % byte for byte in name.encode()]
    return ["".join(quoted[at:at + 15]) for at in range(0, len(quoted), 15)]


def tree(depth):
    if depth == 0 or rng.random() < 0.5:
        return leaf()
    if rng.random() < 0.15:
        inner = tree(depth - 1)
        inner["From"], inner["Subject"] = "inner@example.org", "inner"
        return MIMEMessage(inner)
    part = MIMEMultipart(rng.choice(["mixed", "alternative", "related", "x-odd"]))
    if rng.random() < 0.3:
        part.preamble = "before" + plain().replace("--", "")
    if rng.random() < 0.3:
        part.epilogue = "after" + plain().replace("--", "")
    for _ in range(rng.randrange(1, 5)):
        part.attach(tree(depth - 1))
    return part


for number in range(int(sys.argv[1])):
    top = tree(rng.randrange(0, 5))
    top["From"], top["To"], top["Subject"] = "a@example.org", "b@example.org", "test"
    if top.get_content_maintype() == "multipart" and rng.random() < 0.2:
        top.set_boundary(rng.choice(["x", "a b", "-----", "=_(odd)?'+", "b" * 70]))
    raw = top.as_bytes()
    if rng.random() < 0.5:
        raw = raw.replace(b"\n", b"\r\n")
    raw = b"X-First: 1\n" * rng.randrange(2) + b"Received: by x\nFrom: x\n" + raw
    with open(f"{number}.eml", "wb") as file:
        file.write(raw)
    with open(f"{number}.txt", "w") as file:
        file.write("\n".join(lines(email.message_from_bytes(raw))))
