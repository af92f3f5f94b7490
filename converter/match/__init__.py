"""Two networks in the same form: which step is which, where settings differ, and weights moved across."""
