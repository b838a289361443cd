"""The central line: codes + edit weights @ directions → image → target output."""
