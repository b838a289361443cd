"""Files and folders: written whole or not at all, read with limits, cached, and fetched only when asked for."""
