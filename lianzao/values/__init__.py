"""Pure words of the trade: quantity, money, time, reference, errors. No Django, no input or output."""
