"""Files and folders: written whole or not at all, read with limits, cached, fetched only when asked for."""
