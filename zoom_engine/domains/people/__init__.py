"""The people: photo-real heads whose truth is known where they are rendered, which is in the lab."""
