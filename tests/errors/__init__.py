"""Programs with mistakes: what people write, and what an attacker would."""
