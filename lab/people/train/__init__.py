"""How what is known of people is trained."""
