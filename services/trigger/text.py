"""Text that can be stored, hashed and sent: JSON may carry half a surrogate pair, UTF-8 may not."""


def is_text(value: object) -> bool:
    """Whether `value` is a string that has a UTF-8 form."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
