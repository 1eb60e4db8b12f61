"""The small plant that lives: a believable factory built by public commands, and people of data who keep it moving.

Nothing here is imported by the product: `lianzao demo` and the tests use it.
"""
