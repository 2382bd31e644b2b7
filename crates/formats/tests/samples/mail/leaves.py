"""What Python sees in a message: one line a leaf, with name, type and bytes, the first and last in hexadecimal."""

from email.header import decode_header
from email.utils import collapse_rfc2231_value


def name_of(part):
    name = part.get_filename() or ""
    words = decode_header(name) if "=?" in name else [(name, None)]
    text = b""
    for word, charset in words:
        data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        text += data.decode(charset).encode() if charset and charset.lower() != "unknown-8bit" else data
    return text.hex()


def lines(message):
    for part in message.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True) or b""
        if data:
            yield f"{name_of(part)} {part.get_content_type()} {data.hex()}"
